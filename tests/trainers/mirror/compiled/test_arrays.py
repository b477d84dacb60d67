"""The pool of arrays reuses released memory."""

from __future__ import annotations

import copy
import gc

import pytest
import torch

from bioae.networks import Network, NetworkConfig
from bioae.trainers.mirror import NetworkMirror
from bioae.trainers.mirror.compiled import build
from bioae.trainers.mirror.compiled.arrays import Arrays, empty

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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_layouts(dtype: torch.dtype, layout: torch.memory_format) -> None:
    for given in (None, Arrays()):
        found = empty(given, SHAPE, torch.zeros((), dtype=dtype), layout)
        assert found.shape == SHAPE
        assert found.dtype == dtype
        assert found.is_contiguous(memory_format=layout)
    assert found.data_ptr() % 64 == 0


def test_unfitting_memory_is_released() -> None:
    arrays = Arrays()
    for size in range(1, 40):
        arrays.empty((1000 * size,), torch.float32)
    assert len(arrays._pool) < 4


def test_a_copy_has_separate_memory() -> None:
    arrays = Arrays()
    held = arrays.empty(SHAPE, torch.float32)
    one, same = copy.deepcopy((arrays, arrays))
    assert one is same
    assert one is not arrays
    assert one.empty(SHAPE, torch.float32).data_ptr() != held.data_ptr()


def test_no_memory_is_pooled_without_gradients() -> None:
    arrays = Arrays()
    assert arrays.in_training() is arrays
    with torch.no_grad():
        assert arrays.in_training() is None


@pytest.mark.skipif(build.compiler() is None, reason="there is no C++ compiler")
def test_steps_reuse_the_memory_of_the_step_before() -> None:
    network = Network.initialise(NetworkConfig.preset("strided", steps=5)).quantised()
    mirror = NetworkMirror(network, compile=True)
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
