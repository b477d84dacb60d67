"""Label lines and constants of the experiment `csdp`."""

from __future__ import annotations

import numpy as np

from bioae.random import named_stream
from experiments.csdp import tagged


def test_label_lines_are_a_row_on_top() -> None:
    images = named_stream(1, "images").random((3, 1, 28, 28))
    found = tagged(images, np.array([0, 9, 4]))
    np.testing.assert_array_equal(found[:, :, 1:], images)
    assert [tuple(each) for each in np.argwhere(found[:, 0, 0])] == [(0, 0), (1, 9), (2, 4)]
    assert not tagged(images)[:, :, 0].any()
