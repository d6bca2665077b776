"""Operators that take tensors apart, repeat their elements and join them."""

from __future__ import annotations

import numpy as np

from fhe_estimators.exceptions import UnsupportedOperatorError
from fhe_estimators.operators._base import QuantizedOp, register


@register("Concat", since=13)
class Concat(QuantizedOp):
    """Tensors one behind the other."""

    integer = True

    def f(*tensors, axis):
        return np.concatenate(tensors, axis=axis)


@register("Expand", since=13)
class Expand(QuantizedOp):
    """The tensor, repeated along axes of size one; the shape may also be smaller."""

    integer = True

    def f(x, shape):
        sizes = tuple(int(size) for size in shape)
        return np.broadcast_to(x, np.broadcast_shapes(x.shape, sizes))


@register("Gather", since=13)
class Gather(QuantizedOp):
    """Slices of a tensor by index."""

    integer = True

    def f(x, indices, *, axis=0):
        return np.take(x, indices, axis=axis)


def _pad(x, pads, constant, mode, axes=None):
    places = range(x.ndim) if axes is None else [int(axis) for axis in axes]
    widths = np.zeros((x.ndim, 2), int)
    for place, axis in enumerate(places):
        widths[axis] = pads[place], pads[place + len(places)]
    # A negative width removes elements.
    kept = tuple(
        slice(max(-begin, 0), size - max(-end, 0))
        for size, (begin, end) in zip(x.shape, widths, strict=True)
    )
    options = {}
    if mode == "constant":
        fill = 0 if constant is None else np.asarray(constant).reshape(())
        options = {"constant_values": fill}
    return np.pad(x[kept], np.maximum(widths, 0), mode=mode, **options)


@register("Pad", since=13)
class Pad(QuantizedOp):
    """The tensor with a margin: a constant, its reflection or its edge."""

    def f(x, pads, constant_value=None, *, mode="constant"):
        return _pad(x, pads, constant_value, mode)


@register("Pad", since=18)
class Pad18(Pad):
    """The tensor with a margin along axes, which may be given since opset 18."""

    def f(x, pads, constant_value=None, axes=None, *, mode="constant"):
        return _pad(x, pads, constant_value, mode, axes)


@register("Slice", since=13)
class Slice(QuantizedOp):
    """``x[start:end:step]`` along axes."""

    integer = True

    def f(x, starts, ends, axes=None, steps=None):
        index = [slice(None)] * x.ndim
        places = range(len(starts)) if axes is None else axes
        steps = [1] * len(starts) if steps is None else steps
        for axis, start, end, step in zip(places, starts, ends, steps, strict=True):
            index[int(axis)] = slice(int(start), int(end), int(step))
        return x[tuple(index)]


def _split(x, sizes, axis):
    ends = np.cumsum(sizes)
    index = (slice(None),) * (axis % x.ndim)
    return tuple(
        x[(*index, slice(int(end - size), int(end)))]
        for size, end in zip(sizes, ends, strict=True)
    )


def equal_sizes(size: int, n_parts: int) -> list[int]:
    """Return the sizes of `n_parts` equal parts; the last may be smaller."""
    part = -(-size // n_parts)
    return [part] * (n_parts - 1) + [size - part * (n_parts - 1)]


@register("Split", since=13)
class Split(QuantizedOp):
    """The parts of a tensor along an axis, of given or equal sizes."""

    def f(x, split=None, *, axis=0):
        if split is None:
            raise TypeError("the sizes of the parts, or their number, must be known")
        return _split(x, split, axis)

    def __call__(self, x, split=None):
        """Return the parts: as many equal ones as the node has results, by default."""
        if split is None:
            size = x.shape[self.attributes.get("axis", 0)]
            n_parts = len(self.node.outputs)
            if size % n_parts:
                raise UnsupportedOperatorError(
                    f"Node {self.node}: {size} elements have no {n_parts} equal parts."
                )
            split = equal_sizes(size, n_parts)
        return super().__call__(x, split)


@register("Split", since=18)
class Split18(Split):
    """The parts of a tensor; without sizes the last may be smaller since opset 18."""

    def f(x, split=None, *, axis=0, num_outputs=None):
        if split is None:
            split = equal_sizes(x.shape[axis], num_outputs)
        return _split(x, split, axis)

    def __call__(self, x, split=None):
        """Return the parts."""
        return QuantizedOp.__call__(self, x, split)


@register("Tile", since=13)
class Tile(QuantizedOp):
    """The tensor, repeated along each axis."""

    integer = True

    def f(x, repeats):
        # As an axis of repetitions in front of each axis.
        pairs = [(int(number), size) for number, size in zip(repeats, x.shape, strict=True)]
        once = [length for _, size in pairs for length in (1, size)]
        often = [length for pair in pairs for length in pair]
        total = [number * size for number, size in pairs]
        return np.broadcast_to(x.reshape(once), often).reshape(total)
