"""Layouts of shared weights: the connections of two groups, as segments that a spike adds.

Neurons are numbered in C order of (channel, position). All source neurons of a channel use the
same row of weights. Only the position determines which part of the row a spike adds, and where: a
few segments of neighbouring weights that go to neighbouring sums. So sums are kept with the
target's channels innermost, one group of channels after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int32]
Pair = int | tuple[int, int]
Shape = tuple[int, int, int]


class Unrolled(NamedTuple):
    """Connections one by one: indices of neurons, and into the flattened weights (synapse)."""

    source: Index
    target: Index
    weight: Index


@dataclass(frozen=True, eq=False)
class Layout:
    """The connections of two groups whose weights are shared.

    Attributes
    ----------
    shape
        The shape of the weights.
    sources, targets
        The number of neurons.
    order
        Indices into the flattened weights, in the order of the rows (channel, place).
    positions
        The number of source neurons per channel.
    channel_start
        The first of the sums to which a channel's row is added (channel).
    first
        The first segment of each position, and the end of the last position's (position + 1).
    to, start, length
        A segment's first sum, counted from `channel_start`; its first place in the row; and its
        length (segment).
    place
        The index of each target's sum (target).
    """

    shape: tuple[int, ...]
    sources: int
    targets: int
    order: Index
    positions: int
    channel_start: Index
    first: Index
    to: Index
    start: Index
    length: Index
    place: Index

    @property
    def whole(self) -> bool:
        """True if each spike adds its whole row to all sums."""
        if self.positions != 1 or not len(self.length):
            return False
        return bool(self.order.shape[1] == self.targets == self.length[0])

    @property
    def single(self) -> bool:
        """True if every synapse has its own weight, as of `sparse`."""
        return len(self.shape) == 1

    @property
    def in_order(self) -> bool:
        """True if the rows are the flattened weights."""
        return bool((self.order.ravel() == np.arange(self.order.size)).all())

    @property
    def in_place(self) -> bool:
        """True if sums are in the order of the targets."""
        return bool((self.place == np.arange(self.targets)).all())

    @property
    def turned(self) -> tuple[int, int]:
        """Channels and positions of each group of sums, which are in the order (position, channel).

        Those of the targets are in the order (channel, position).
        """
        if self.in_place:
            return 1, self.targets
        return int(self.place[1] - self.place[0]), int((self.place == 1).argmax())

    @property
    def unit(self) -> int:
        """The greatest common divisor of the segments' lengths."""
        return int(np.gcd.reduce(self.length, initial=0)) or 1

    def unrolled(self) -> Unrolled:
        """Return the connections one by one, in the order in which the spikes add their weights."""
        channel, position = np.divmod(np.arange(self.sources), self.positions)
        count = np.diff(self.first)[position]
        source = np.repeat(np.arange(self.sources), count)
        segment = _ranges(self.first[position], count)
        length = self.length[segment]
        to = _ranges(self.channel_start[channel[source]] + self.to[segment], length)
        start = _ranges(self.start[segment], length)
        source = np.repeat(source, length)
        target_of = np.empty(self.targets, np.int32)
        target_of[self.place] = np.arange(self.targets)
        weight = self.order[channel[source], start]
        return Unrolled(source.astype(np.int32), target_of[to], weight)


def dense(sources: int, targets: int) -> Layout:
    """Return the layout of all connections of two groups, with weights (target, source)."""
    weights = np.arange(sources * targets, dtype=np.int32)
    return Layout(
        shape=(targets, sources),
        sources=sources,
        targets=targets,
        order=np.ascontiguousarray(weights.reshape(targets, sources).T),
        positions=1,
        channel_start=_index(np.zeros(sources)),
        first=_index([0, 1]),
        to=_index([0]),
        start=_index([0]),
        length=_index([targets]),
        place=_index(np.arange(targets)),
    )


def sparse(sources: int, targets: int, source: NDArray[Any], target: NDArray[Any]) -> Layout:
    """Return the layout of single synapses, with weights (synapse).

    Parameters
    ----------
    sources, targets
        The number of neurons.
    source, target
        The neurons that each synapse joins (synapse); several may join the same two.
    """
    order = np.lexsort((target, source))
    number = np.bincount(source, minlength=sources)
    return Layout(
        shape=(len(order),),
        sources=sources,
        targets=targets,
        order=_index(order[None]),
        positions=sources,
        channel_start=_index([0]),
        first=_index(np.concatenate([[0], np.cumsum(number)])),
        to=_index(target[order]),
        start=_index(np.arange(len(order))),
        length=_index(np.ones(len(order))),
        place=_index(np.arange(targets)),
    )


def conv2d(
    input_shape: Shape,
    channels: int,
    kernel: Pair,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Layout:
    """Return the layout of PyTorch's convolution, with weights (out, in / groups, y, x).

    Parameters
    ----------
    input_shape
        The shape of the source (channel, y, x).
    channels
        The number of the target's channels.
    kernel, stride, padding, dilation
        Sizes along (y, x), or one number for both.
    groups
        The number of groups of channels; each group of the source projects to its own.

    Raises
    ------
    ValueError
        If the groups do not divide the channels, or the target would be empty.
    """
    axes = [
        _Axis(n, (n + 2 * p - d * (k - 1) - 1) // s + 1, k, s, p, d, transposed=False)
        for n, k, s, p, d in zip(
            input_shape[1:], *map(_pair, (kernel, stride, padding, dilation)), strict=True
        )
    ]
    return _convolution(input_shape[0], channels, groups, axes)


def conv_transpose2d(
    input_shape: Shape,
    channels: int,
    kernel: Pair,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Layout:
    """Return the layout of PyTorch's transposed convolution, weights (in, out / groups, y, x).

    See `conv2d`; `output_padding` is an additional size of the target at its end.
    """
    axes = [
        _Axis(n, (n - 1) * s - 2 * p + d * (k - 1) + 1 + o, k, s, p, d, transposed=True)
        for n, k, s, p, d, o in zip(
            input_shape[1:],
            *map(_pair, (kernel, stride, padding, dilation, output_padding)),
            strict=True,
        )
    ]
    return _convolution(input_shape[0], channels, groups, axes)


class _Axis(NamedTuple):
    """A convolution along one axis."""

    sources: int
    targets: int
    kernel: int
    stride: int
    padding: int
    dilation: int
    transposed: bool

    def order(self) -> NDArray[np.int64]:
        """Return the kernel's taps in an order in which neighbours reach neighbouring targets."""
        taps = np.arange(self.kernel)
        if self.transposed:
            return taps
        period = self.stride // np.gcd(self.stride, self.dilation)
        order: NDArray[np.int64] = np.lexsort((-taps, taps % period))
        return order

    def taps(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return sources, targets and places of taps in `order`, sorted by source and target."""
        rank = np.argsort(self.order())
        narrow = self.sources if self.transposed else self.targets
        wide = self.targets if self.transposed else self.sources
        position, tap = np.divmod(np.arange(narrow * self.kernel), self.kernel)
        reached = position * self.stride - self.padding + tap * self.dilation
        inside = (reached >= 0) & (reached < wide)
        position, reached, place = position[inside], reached[inside], rank[tap[inside]]
        source, target = (position, reached) if self.transposed else (reached, position)
        order = np.lexsort((target, source))
        return source[order], target[order], place[order]


def _convolution(inputs: int, outputs: int, groups: int, axes: Sequence[_Axis]) -> Layout:
    rows, columns = axes
    if inputs % groups or outputs % groups:
        raise ValueError(f"{groups} groups do not divide {inputs} and {outputs} channels")
    if min(rows.targets, columns.targets) < 1:
        raise ValueError(f"the target would have no neurons: {rows.targets} by {columns.targets}")
    inner = outputs // groups
    outside = rows.targets * columns.targets
    position, to, start, length = _segments(rows, columns)
    positions = rows.sources * columns.sources
    place = np.arange(groups * outside * inner).reshape(groups, outside, inner)
    channel = np.arange(inputs) // (inputs // groups)
    shape, order = _order(inputs, outputs, groups, axes)
    return Layout(
        shape=shape,
        sources=inputs * positions,
        targets=outputs * outside,
        order=order,
        positions=positions,
        channel_start=_index(channel * outside * inner),
        first=_index(np.searchsorted(position, np.arange(positions + 1))),
        to=_index(to * inner),
        start=_index(start * inner),
        length=_index(length * inner),
        place=_index(place.transpose(0, 2, 1).ravel()),
    )


def _segments(rows: _Axis, columns: _Axis) -> tuple[NDArray[np.int64], ...]:
    """Return the segments' positions, first targets, first places and lengths, in pixels."""
    y, target_y, place_y = rows.taps()
    x, target_x, place_x = columns.taps()
    # A tap that follows its predecessor on both sides continues its segment.
    continues = (np.diff(x) == 0) & (np.diff(target_x) == 1) & (np.diff(place_x) == 1)
    begins = np.flatnonzero(np.r_[len(x) > 0, ~continues])
    length = np.diff(np.r_[begins, len(x)])
    position = y[:, None] * columns.sources + x[begins]
    to = target_y[:, None] * columns.targets + target_x[begins]
    start = place_y[:, None] * columns.kernel + place_x[begins]
    order = np.argsort(position, axis=None, kind="stable")
    lengths = np.broadcast_to(length, position.shape)
    return tuple(values.ravel()[order] for values in (position, to, start, lengths))


def _order(
    inputs: int, outputs: int, groups: int, axes: Sequence[_Axis]
) -> tuple[tuple[int, ...], Index]:
    """Return the weights' shape, and their order in the rows (in, y, x, out / groups)."""
    rows, columns = axes
    area = rows.kernel, columns.kernel
    ins, outs = inputs // groups, outputs // groups
    if rows.transposed:
        shape: tuple[int, ...] = (inputs, outs, *area)
        weights = np.arange(np.prod(shape)).reshape(groups, ins, outs, *area)
    else:
        shape = (outputs, ins, *area)
        weights = np.arange(np.prod(shape)).reshape(groups, outs, ins, *area).swapaxes(1, 2)
    weights = weights[..., rows.order()[:, None], columns.order()]
    return shape, _index(weights.transpose(0, 1, 3, 4, 2).reshape(inputs, -1))


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _index(values: Any) -> Index:
    return np.ascontiguousarray(values, dtype=np.int32)


def _ranges(start: NDArray[Any], count: NDArray[Any]) -> NDArray[np.int64]:
    """Return concatenated ranges."""
    ranges: NDArray[np.int64] = np.arange(count.sum())
    ranges += np.repeat(start - np.cumsum(count) + count, count)
    return ranges
