"""The pool of arrays reuses released memory."""

from __future__ import annotations

import gc

import pytest
import torch
from mirrors import mirror_of

from bioae.networks import Network, NetworkConfig
from bioae.trainers.mirror.compiled import build
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
@pytest.mark.skipif(build.compiler() is None, reason="there is no C++ compiler")
def test_steps_reuse_the_memory_of_the_step_before() -> None:
    network = Network.initialise(NetworkConfig.preset("strided", steps=5)).quantised()
    mirror = mirror_of(network, compile=True)
    drive = (torch.rand(5, 3, 1, 28, 28) < 0.1).float()

    def train() -> tuple[int, torch.Tensor]:
        activity = mirror(drive)
        spikes = activity.layers["encoder1"].spikes
        place, copied = spikes.data_ptr(), spikes.detach().clone()
        activity.reconstruction.square().sum().backward()  # type: ignore[no-untyped-call]
        assert torch.equal(spikes, copied)
        return place, copied

    places, spikes = zip(*(train() for _ in range(4)), strict=True)
    gc.collect()
    assert spikes[0].any()
    assert all(torch.equal(each, spikes[0]) for each in spikes)
    assert len(set(places)) < 3
