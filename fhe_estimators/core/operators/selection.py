"""Operators that select elements by what tensors hold, and sums of what comes before."""

from __future__ import annotations

import numpy as np

from fhe_estimators.core.operators._base import register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.core.operators.clear import ClearOnly
from fhe_estimators.core.operators.layout import _TYPES


@register("TopK", since=10)
class TopK(ClearOnly):
    """The `k` largest or smallest elements along an axis, and where they are."""

    @staticmethod
    def f(x, k, *, axis=-1, largest=1, sorted=1):
        n_elements = int(np.asarray(k).item())
        if largest:
            # Of equal elements, the first comes first.
            last = x.shape[axis] - 1
            order = last - np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
        else:
            order = np.argsort(x, axis, kind="stable")
        places = np.take(order, np.arange(n_elements), axis)
        return np.take_along_axis(x, places, axis), places.astype(np.int64)


@register("TopK", since=1)
class TopK1(TopK):
    """The `k` largest elements along an axis; `k` is an input since opset 10."""

    @staticmethod
    def f(x, *, axis=-1, k):
        return TopK.f(x, k, axis=axis)

    @staticmethod
    def body(write: Writer):
        """Make the number a constant."""
        return write.same(
            write.input(0), write.integers(write.attribute("k")), without=("k",)
        )


@register("NonZero", since=9)
class NonZero(ClearOnly):
    """Where elements are not zero: a column for each."""

    @staticmethod
    def f(x):
        return np.array(np.nonzero(x), np.int64).reshape(max(x.ndim, 1), -1)


@register("Compress", since=9)
class Compress(ClearOnly):
    """The slices along an axis, or elements, where a condition holds."""

    @staticmethod
    def f(x, condition, *, axis=None):
        return np.compress(condition, x, axis)


@register("GatherElements", since=11)
class GatherElements(ClearOnly):
    """``x[i, indices[i, j], ...]``, with indices along `axis`."""

    @staticmethod
    def f(x, indices, *, axis=0):
        return np.take_along_axis(x, np.asarray(indices), axis)


@register("GatherND", since=11)
class GatherND(ClearOnly):
    """``x[indices[i]]``; ``indices[i]`` is a place along the first axes behind batches."""

    @staticmethod
    def f(x, indices, *, batch_dims=0):
        batch = indices.shape[:batch_dims]
        before = tuple(
            np.reshape(axis, (*batch, *[1] * (indices.ndim - 1 - batch_dims)))
            for axis in np.indices(batch)
        )
        return x[(*before, *np.moveaxis(indices, -1, 0))]


@register("EyeLike", since=9)
class EyeLike(ClearOnly):
    """1 on a diagonal, else 0, in the shape of a matrix."""

    @staticmethod
    def f(x, *, dtype=None, k=0):
        return np.eye(*x.shape, k, dtype=x.dtype if dtype is None else _TYPES[dtype])


@register("Trilu", since=14)
class Trilu(ClearOnly):
    """The upper or lower triangle of matrices, and zeros elsewhere."""

    @staticmethod
    def f(x, k=None, *, upper=1):
        k = 0 if k is None else int(np.asarray(k).item())
        return np.triu(x, k) if upper else np.tril(x, k)

    @staticmethod
    def body(write: Writer) -> str:
        """Take the other elements from a zero that is appended to them."""
        *_, n_rows, n_columns = shape = write.shape(0)
        k = write.needed(1) if write.input(1) else None
        assert n_rows is not None
        assert n_columns is not None
        size = n_rows * n_columns
        numbers = 1 + np.arange(size).reshape(n_rows, n_columns)
        kept = Trilu.f(numbers, k, upper=write.attribute("upper", 1))
        places = np.where(kept, numbers - 1, size).ravel()
        batch, rank = [0] * (len(shape) - 2), len(shape) - 1
        x = write("Reshape", write.input(0), write.integers(*batch, size))
        x = write("Pad", x, write.integers(*[0] * (2 * rank - 1), 1))
        x = write("Gather", x, write.integers(*places), axis=rank - 1)
        return write("Reshape", x, write.integers(*batch, n_rows, n_columns))


@register("CumSum", since=11)
class CumSum(ClearOnly):
    """The sums of the elements along an axis up to each of them."""

    @staticmethod
    def f(x, axis, *, exclusive=0, reverse=0):
        axis = int(np.asarray(axis).item())
        x = np.flip(x, axis) if reverse else x
        sums = np.cumsum(x, axis, dtype=x.dtype)
        sums = sums - x if exclusive else sums
        return np.flip(sums, axis) if reverse else sums

    @staticmethod
    def body(write: Writer) -> str:
        """Add up each part: no sum needs a table."""
        shape = write.shape(0)
        axis = int(write.needed(1).item()) % len(shape)
        size, x, axes = shape[axis], write.input(0), write.integers(axis)
        assert size is not None
        exclusive, reverse = (write.attribute(n, 0) for n in ("exclusive", "reverse"))
        sums = []
        for place in range(size):
            ends = (place + exclusive, size) if reverse else (0, place + 1 - exclusive)
            start, stop = map(write.integers, ends)
            if ends[0] < ends[1]:
                part = write("Slice", x, start, stop, axes)
                sums.append(write("ReduceSum", part, axes, keepdims=1))
        result = write("Concat", *sums, axis=axis)
        if not exclusive:
            return result
        pads = np.zeros((2, len(shape)), np.int64)
        pads[1 if reverse else 0, axis] = 1
        return write("Pad", result, write.integers(*pads.ravel()))


@register("ReverseSequence", since=10)
class ReverseSequence(ClearOnly):
    """The first elements of each sequence, as many as are said, in the opposite order."""

    @staticmethod
    def f(x, sequence_lens, *, batch_axis=1, time_axis=0):
        result = np.array(np.moveaxis(x, (batch_axis, time_axis), (0, 1)))
        for row, length in zip(result, sequence_lens, strict=True):
            row[:length] = row[:length][::-1].copy()
        return np.moveaxis(result, (0, 1), (batch_axis, time_axis))
