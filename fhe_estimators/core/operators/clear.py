"""Operators that run in clear only: the client computes them on decrypted numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fhe_estimators.core.operators._base import QuantizedOp, register
from fhe_estimators.core.operators._body import Writer
from fhe_estimators.core.operators.reduction import also_before_18, reduced


class ClearOnly(QuantizedOp):
    """Family base."""

    encrypted = False


@register("ArgMax", since=1)
class ArgMax(ClearOnly):
    """Where the largest element is."""

    @staticmethod
    def f(x, *, axis=0, keepdims=1, select_last_index=0):
        if select_last_index:
            last = x.shape[axis] - 1
            index = last - np.argmax(np.flip(x, axis), axis=axis)
        else:
            index = np.argmax(x, axis=axis)
        return np.expand_dims(index, axis) if keepdims else index


@register("ArgMin", since=1)
class ArgMin(ClearOnly):
    """Where the smallest element is."""

    @staticmethod
    def f(x, *, axis=0, keepdims=1, select_last_index=0):
        # The smallest is the largest of what counts down, without a sign that wraps.
        _, order = np.unique(x, return_inverse=True)
        down = -order.reshape(x.shape)
        options = {"axis": axis, "keepdims": keepdims}
        return ArgMax.f(down, select_last_index=select_last_index, **options)


@register("Constant", since=1)
class Constant(ClearOnly):
    """A clear tensor."""

    refuses = dict.fromkeys(
        ("value_string", "value_strings"), "only tensors and numbers are"
    )

    @staticmethod
    def f(
        *,
        sparse_value=None,
        value=None,
        value_float=None,
        value_floats=None,
        value_int=None,
        value_ints=None,
    ):
        tensor = sparse_value if value is None else value
        if tensor is not None:
            return tensor
        if value_float is not None or value_floats is not None:
            number = value_float if value_floats is None else value_floats
            return np.asarray(number, np.float32)
        return np.asarray(value_int if value_ints is None else value_ints, np.int64)


@register("ConstantOfShape", since=9)
class ConstantOfShape(ClearOnly):
    """A tensor of one number."""

    @staticmethod
    def f(shape, *, value=None):
        number = np.zeros(1, np.float32) if value is None else np.asarray(value)
        sizes = [int(size) for size in shape]
        return np.full(sizes, number.reshape(()), number.dtype)


@register("LogSoftmax", since=13)
class LogSoftmax(ClearOnly):
    """The logarithm of the softmax."""

    @staticmethod
    def f(x, *, axis=-1):
        from scipy.special import log_softmax

        return log_softmax(x, axis=axis)

    @staticmethod
    def body(write: Writer) -> str:
        """Subtract the logarithm of the sum of exponentials."""
        x, axes = write.input(0), write.integers(write.attribute("axis", -1))
        below = write("Sub", x, write("ReduceMax", x, axes))
        total = write("ReduceSum", write("Exp", below), axes)
        return write("Sub", below, write("Log", total))


@register("Range", since=11)
class Range(ClearOnly):
    """The numbers from `start` on, `delta` apart, that do not reach `limit`."""

    @staticmethod
    def f(start, limit, delta):
        start, limit, delta = map(np.asarray, (start, limit, delta))
        return np.arange(start.item(), limit.item(), delta.item()).astype(start.dtype)


@also_before_18
@register("ReduceProd", since=18)
class ReduceProd(ClearOnly):
    """The product of the elements along axes."""

    @staticmethod
    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        return reduced(np.prod, x, axes, keepdims, noop_with_empty_axes)


@register("Shape", since=1)
class Shape(ClearOnly):
    """The sizes of the axes from `start` to ``end - 1``."""

    reads_sizes = True

    @staticmethod
    def f(x, *, start=0, end=None):
        return np.array(x.shape[start:end], np.int64)


class AlongAxis(ClearOnly):
    """Family base: older versions see a matrix, of all axes before and from `axis` on."""

    @staticmethod
    def flattened(f, x, axis):
        """Return a function of the columns of the matrix, in the shape of `x`."""
        axis %= max(x.ndim, 1)
        return f(x.reshape(math.prod(x.shape[:axis]), -1), axis=-1).reshape(x.shape)

    @staticmethod
    def body(write: Writer) -> Sequence[str]:
        """Flatten the axes from `axis` on, if there are several, and give them back."""
        axis, rank = write.attribute("axis", 1), len(write.shape(0))
        axis %= rank
        if axis == rank - 1:
            write.several(write.node.op, write.node.inputs, 1, axis=-1)
            return write.nodes[-1].outputs
        x, shape = write.input(0), write.integers(*[0] * axis, -1)
        y = write(write.node.op, write("Reshape", x, shape), axis=-1)
        return write("Reshape", y, write("Shape", x))


@register("LogSoftmax", since=1)
class LogSoftmax1(AlongAxis):
    """The logarithm of the softmax of all axes from `axis` on."""

    @staticmethod
    def f(x, *, axis=1):
        return AlongAxis.flattened(LogSoftmax.f, x, axis)


@register("Hardmax", since=1)
class Hardmax1(AlongAxis):
    """1 at the first largest element of all axes from `axis` on, else 0."""

    @staticmethod
    def f(x, *, axis=1):
        return AlongAxis.flattened(Hardmax.f, x, axis)


@register("Softmax", since=1)
class Softmax1(AlongAxis):
    """``exp(x)`` over its sum along all axes from `axis` on."""

    @staticmethod
    def f(x, *, axis=1):
        return AlongAxis.flattened(Softmax.f, x, axis)


@register("Hardmax", since=13)
class Hardmax(ClearOnly):
    """1 at the first largest element along an axis, else 0."""

    @staticmethod
    def f(x, *, axis=-1):
        first = np.expand_dims(np.argmax(x, axis=axis), axis)
        shape = [1] * x.ndim
        shape[axis] = -1
        places = np.arange(x.shape[axis]).reshape(shape)
        return (places == first).astype(x.dtype)


@register("Size", since=1)
class Size(ClearOnly):
    """The number of elements of a tensor."""

    reads_sizes = True

    @staticmethod
    def f(x):
        return np.array(x.size, np.int64)


@register("Softmax", since=13)
class Softmax(ClearOnly):
    """``exp(x)`` over its sum along an axis."""

    @staticmethod
    def f(x, *, axis=-1):
        from scipy.special import softmax

        return softmax(x, axis=axis)

    @staticmethod
    def body(write: Writer) -> str:
        """Multiply exponentials by the reciprocal of their sum.

        The largest element is subtracted first: exponentials then lie between 0 and 1,
        their sum between 1 and their number, and each has a table over a known range.
        """
        x, axes = write.input(0), write.integers(write.attribute("axis", -1))
        powers = write("Exp", write("Sub", x, write("ReduceMax", x, axes)))
        total = write("ReduceSum", powers, axes)
        return write("Mul", powers, write("Reciprocal", total))
