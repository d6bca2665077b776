"""Norms and other reductions that are sums with functions before and behind."""

from __future__ import annotations

import numpy as np

from fhe_estimators.core.operators._base import register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.core.operators.clear import ClearOnly
from fhe_estimators.core.operators.reduction import also_before_18, reduced


def over_axes(write: Writer, op: str, x: str) -> str:
    """Append a reduction of `x` with the axes and attributes of the node."""
    axes = write.input(1)
    return write(op, x, *([axes] if axes else []), **write.node.attributes)


@also_before_18
@register("ReduceL1", since=18)
class ReduceL1(ClearOnly):
    """The sum of magnitudes along axes."""

    @staticmethod
    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        return reduced(np.sum, np.abs(x), axes, keepdims, noop_with_empty_axes)

    @staticmethod
    def body(write: Writer) -> str:
        """Add up magnitudes."""
        return over_axes(write, "ReduceSum", write("Abs", write.input(0)))


@also_before_18
@register("ReduceSumSquare", since=18)
class ReduceSumSquare(ClearOnly):
    """The sum of squares along axes."""

    @staticmethod
    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        return reduced(np.sum, x * x, axes, keepdims, noop_with_empty_axes)

    @staticmethod
    def body(write: Writer) -> str:
        """Add up squares."""
        x = write.input(0)
        return over_axes(write, "ReduceSum", write("Mul", x, x))


@also_before_18
@register("ReduceL2", since=18)
class ReduceL2(ClearOnly):
    """The root of the sum of squares along axes."""

    @staticmethod
    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        squares = reduced(np.sum, x * x, axes, keepdims, noop_with_empty_axes)
        return np.sqrt(squares).astype(x.dtype, copy=False)

    @staticmethod
    def body(write: Writer) -> str:
        """Take the root of a sum of squares."""
        return write("Sqrt", ReduceSumSquare.body(write))


@also_before_18
@register("ReduceLogSum", since=18)
class ReduceLogSum(ClearOnly):
    """The logarithm of the sum along axes."""

    @staticmethod
    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        return np.log(reduced(np.sum, x, axes, keepdims, noop_with_empty_axes))

    @staticmethod
    def body(write: Writer) -> str:
        """Take the logarithm of a sum."""
        return write("Log", over_axes(write, "ReduceSum", write.input(0)))


@also_before_18
@register("ReduceLogSumExp", since=18)
class ReduceLogSumExp(ClearOnly):
    """The logarithm of the sum of exponentials along axes."""

    @staticmethod
    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        def function(x, axis, keepdims):
            return np.logaddexp.reduce(x, axis=axis, keepdims=keepdims)

        x = np.asarray(x)
        axes = range(x.ndim) if axes is None or not len(axes) else axes
        axes = sorted(int(axis) % x.ndim for axis in axes)
        result = x
        for axis in axes:
            result = function(result, axis, True)
        return result if keepdims else result.squeeze(tuple(axes))

    @staticmethod
    def body(write: Writer) -> str:
        """Subtract the largest element first: then no exponential overflows."""
        x, axes = write.input(0), write.input(1)
        inputs, keep = [axes] if axes else [], write.attribute("keepdims", 1)
        largest = write("ReduceMax", x, *inputs, keepdims=1)
        powers = write("Exp", write("Sub", x, largest))
        logarithm = write("Log", write("ReduceSum", powers, *inputs, keepdims=1))
        result = write("Add", logarithm, largest)
        if keep:
            return result
        return write("Squeeze", result, *inputs)


@register("LpNormalization", since=1)
class LpNormalization(ClearOnly):
    """``x`` over its norm along an axis, of order 1 or 2."""

    @staticmethod
    def f(x, *, axis=-1, p=2):
        norm = np.abs(x).sum(axis=axis, keepdims=True)
        if p == 2:
            norm = np.sqrt((x * x).sum(axis=axis, keepdims=True))
        return x / norm

    @staticmethod
    def body(write: Writer) -> str:
        """Divide by the norm."""
        x, axes = write.input(0), write.integers(write.attribute("axis", -1))
        op = "ReduceL2" if write.attribute("p", 2) == 2 else "ReduceL1"
        return write("Div", x, write(op, x, axes, keepdims=1))


@register("MeanVarianceNormalization", since=9)
class MeanVarianceNormalization(ClearOnly):
    """``x`` less its mean, over its standard deviation, along axes."""

    @staticmethod
    def f(x, *, axes=(0, 2, 3)):
        axes = tuple(axes)
        mean = x.mean(axis=axes, keepdims=True)
        deviation = np.sqrt((x * x).mean(axis=axes, keepdims=True) - mean * mean)
        return (x - mean) / (deviation + np.asarray(1e-9, x.dtype))

    @staticmethod
    def body(write: Writer) -> str:
        """Centre, and divide by the root of the mean square."""
        x, axes = write.input(0), write.integers(*write.attribute("axes", (0, 2, 3)))
        return normalized(write, x, axes, 0.0)


def normalized(write: Writer, x: str, axes: str, epsilon: float) -> str:
    """Append what subtracts the mean of `x` along axes and divides by the deviation."""
    centred = write("Sub", x, write("ReduceMean", x, axes, keepdims=1))
    squares = write("Mul", centred, centred)
    variance = write("ReduceMean", squares, axes, keepdims=1)
    small = write.constant(epsilon, np.float32)
    deviation = write("Sqrt", write("Add", variance, small))
    return write("Mul", centred, write("Reciprocal", deviation))


def per_channel(write: Writer, place: int, rank: int) -> str:
    """Return a vector of the node's inputs with axes behind it, against images."""
    if rank == 2:
        return write.input(place)
    return write("Reshape", write.input(place), write.integers(-1, *[1] * (rank - 2)))


def _along_channels(x, vector):
    return np.reshape(vector, (-1, *[1] * (x.ndim - 2)))


@register("InstanceNormalization", since=6)
class InstanceNormalization(ClearOnly):
    """``scale * (x - mean) / sqrt(variance + epsilon) + shift``, of each channel."""

    @staticmethod
    def f(x, scale, shift, *, epsilon=1e-5):
        axes = tuple(range(2, x.ndim))
        mean, variance = (g(x, axis=axes, keepdims=True) for g in (np.mean, np.var))
        centred = (x - mean) / np.sqrt(variance + np.asarray(epsilon, mean.dtype))
        return _along_channels(x, scale) * centred + _along_channels(x, shift)

    @staticmethod
    def body(write: Writer) -> str:
        """Normalize along the spatial axes."""
        rank = len(write.shape(0))
        axes = write.integers(*range(2, rank))
        x = normalized(write, write.input(0), axes, write.attribute("epsilon", 1e-5))
        scaled = write("Mul", x, per_channel(write, 1, rank))
        return write("Add", scaled, per_channel(write, 2, rank))


@register("GroupNormalization", since=21)
class GroupNormalization(ClearOnly):
    """``scale * (x - mean) / sqrt(variance + epsilon) + shift``, of groups of channels."""

    @staticmethod
    def f(x, scale, shift, *, epsilon=1e-5, num_groups, stash_type=1):
        groups = x.reshape(len(x), num_groups, -1)
        one = np.ones(num_groups, np.asarray(scale).dtype)
        centred = InstanceNormalization.f(groups, one, 0 * one, epsilon=epsilon)
        centred = centred.reshape(x.shape)
        return _along_channels(x, scale) * centred + _along_channels(x, shift)

    @staticmethod
    def body(write: Writer) -> str:
        """Normalize a row for each group."""
        rank = len(write.shape(0))
        return grouped(write, per_channel(write, 1, rank), per_channel(write, 2, rank))


def grouped(write: Writer, scale: str, shift: str) -> str:
    """Append the normalization of groups of channels."""
    shape, groups = write.shape(0), write.attribute("num_groups")
    x = write("Reshape", write.input(0), write.integers(0, groups, -1))
    axes = write.integers(2)
    x = normalized(write, x, axes, write.attribute("epsilon", 1e-5))
    sizes = [int(size or 0) for size in shape[1:]]
    x = write("Reshape", x, write.integers(0, *sizes))
    return write("Add", write("Mul", x, scale), shift)


@register("GroupNormalization", since=18)
class GroupNormalization18(GroupNormalization):
    """The same, with a scale and a shift of each group."""

    @staticmethod
    def f(x, scale, shift, *, epsilon=1e-5, num_groups):
        each = x.shape[1] // num_groups
        scale, shift = np.repeat(scale, each), np.repeat(shift, each)
        return GroupNormalization.f(x, scale, shift, epsilon=epsilon, num_groups=num_groups)

    @staticmethod
    def body(write: Writer) -> str:
        """Repeat scales and shifts for each channel of a group."""
        n_channels, groups = write.shape(0)[1], write.attribute("num_groups")
        places = write.integers(*np.arange(groups).repeat(int(n_channels or 0) // groups))
        scale, shift = (
            write("Gather", write.input(place), places, axis=0) for place in (1, 2)
        )
        return write.same(write.input(0), scale, shift)[0]
