"""Checks of arrays, and slicing and scaling of images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bioae.datasets import Data
from bioae.datasets.checks import check_labels, check_pixels
from bioae.errors import DataError

SHAPES = hnp.array_shapes(min_dims=3, max_dims=4)


def make(pixels: np.ndarray, labels: np.ndarray | None = None) -> Data:
    return Data.of_images(pixels, labels=labels, name="mine", split="test")


@given(hnp.arrays(np.uint8, SHAPES, elements=st.integers(2, 255)))
def test_bytes_stay_bytes(pixels: np.ndarray) -> None:
    checked = check_pixels(pixels, "images")
    assert checked.dtype == np.uint8
    assert checked.ndim == 4
    np.testing.assert_array_equal(checked.ravel(), pixels.ravel())


@given(hnp.arrays(np.float64, SHAPES, elements=st.floats(0, 1)))
def test_numbers_are_kept_exactly(pixels: np.ndarray) -> None:
    checked = check_pixels(pixels, "images")
    assert checked.dtype == np.float64
    np.testing.assert_array_equal(checked.ravel(), pixels.ravel())


@given(
    pixels=hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(0, 1)),
    bad=st.one_of(
        st.sampled_from([np.nan, np.inf, -np.inf]),
        st.floats(1, 1e300, exclude_min=True),
        st.floats(-1e300, 0, exclude_max=True),
    ),
    place=st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 3)),
)
def test_one_bad_pixel_is_named(
    pixels: np.ndarray, bad: float, place: tuple[int, int, int]
) -> None:
    pixels[place] = bad
    example, y, x = place
    with pytest.raises(DataError) as caught:
        check_pixels(pixels, "mine.npy")
    assert f"at example {example}, channel 0, y {y}, x {x}" in str(caught.value)
    assert str(caught.value).startswith("mine.npy: a pixel is ")


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros((28, 28)), r"number of axes; .*found the shape \(28, 28\).*image\[None\]"),
        ([[[0.0], [0.0, 1.0]]], "not a regular array"),
        (np.zeros((1, 1, 1, 1, 1)), "number of axes"),
        (np.zeros((0, 28, 28)), "there are no images"),
        (np.zeros((3, 1, 0, 28)), "there are no images"),
        (np.full((1, 2, 2), "a"), "must be numbers"),
        (np.full((1, 2, 2), None), "must be numbers"),
        (np.zeros((1, 2, 2), complex), "must be numbers"),
        (np.full((1, 2, 2), 255, np.int64), "outside the range.*Give bytes"),
    ],
)
def test_refused(array: Any, match: str) -> None:
    with pytest.raises(DataError, match=match):
        check_pixels(array, "images")


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float32])
def test_other_numbers_in_the_range(dtype: type) -> None:
    checked = check_pixels(np.ones((2, 3, 3), dtype), "images")
    assert checked.dtype == np.float64
    assert (checked == 1).all()


def test_bytes_scale_to_the_unit_interval() -> None:
    images = make(np.arange(256, dtype=np.uint8).reshape(1, 16, 16)).as_float()
    assert images.dtype == np.float64
    np.testing.assert_array_equal(images.ravel(), np.arange(256) / 255)


def test_images_are_the_callers_own() -> None:
    mine = make(np.zeros((1, 2, 2)))
    mine.as_float()[:] = 1
    assert (mine.as_float() == 0).all()


@pytest.mark.parametrize(
    "which", [slice(1, 3), [2, 0], np.array([True, False, True, False])], ids=str
)
def test_selection_keeps_all_parts_together(which: Any) -> None:
    pixels = np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 3), np.uint8)
    part = make(pixels, labels=np.arange(4))[which]
    assert part.labels is not None
    assert len(part) == 2
    assert part.shape == (1, 2, 3)
    np.testing.assert_array_equal(part.values[:, 0, 0, 0], part.labels)
    np.testing.assert_array_equal(part.indices, part.labels)


def test_labels_may_be_unknown() -> None:
    assert make(np.zeros((2, 1, 1)))[:1].labels is None


@pytest.mark.parametrize("labels", [np.zeros(2), np.zeros(3, int), np.zeros((2, 1), int), ["a"]])
def test_labels_that_do_not_fit(labels: Any) -> None:
    with pytest.raises(DataError, match=r"labels do not fit the data; expected 2 whole numbers"):
        check_labels(labels, 2, "labels")
