"""The pool of arrays reuses released memory."""

from __future__ import annotations

import gc

import pytest
import torch
from builders import conv, deconv
from mirrors import described, drive_of, firing, mirror_of, needs_compiler

from bioae.trainers.mirror.compiled.arrays import Arrays

SHAPE = (4, 3, 2, 5)


def test_memory_is_used_again_when_the_last_view_is_gone() -> None:
    arrays = Arrays()
    first = arrays.empty(SHAPE, torch.float32)
    place, view = first.data_ptr(), first[1].flatten()[3:]
    other = arrays.empty(SHAPE, torch.float32)
    assert other.data_ptr() != place
    del first
    third = arrays.empty(SHAPE, torch.float32)
    assert third.data_ptr() != place
    assert view.numel() == 27
    del view
    assert arrays.empty((2, *SHAPE[1:]), torch.float64).data_ptr() == place


@pytest.mark.medium
@needs_compiler
def test_steps_reuse_the_memory_of_the_step_before() -> None:
    config = described("lif", layers=[conv("first", 4, 3), deconv("last", 1, 3)],
                       input_shape=[1, 20, 20])  # fmt: skip
    mirror, drive = mirror_of(firing(config), compile=True), drive_of(config)

    def train() -> tuple[int, torch.Tensor]:
        activity = mirror(drive)
        spikes = activity.layers["first"].spikes
        place, copied = spikes.data_ptr(), spikes.detach().clone()
        activity.reconstruction.square().sum().backward()  # type: ignore[no-untyped-call]
        assert torch.equal(spikes, copied)
        return place, copied

    places, spikes = zip(*(train() for _ in range(4)), strict=True)
    gc.collect()
    assert spikes[0].any()
    assert all(torch.equal(each, spikes[0]) for each in spikes)
    assert len(set(places)) < 3
