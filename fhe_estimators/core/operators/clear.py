"""Operators that run in clear only: the client computes them on decrypted numbers."""

from __future__ import annotations

import numpy as np

from fhe_estimators.core.operators._base import QuantizedOp, register
from fhe_estimators.core.operators.reduction import reduced


class ClearOnly(QuantizedOp):
    """Family base."""

    encrypted = False


@register("ArgMax", since=13)
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


@register("Constant", since=13)
class Constant(ClearOnly):
    """A clear tensor."""

    refuses = dict.fromkeys(
        ("sparse_value", "value_string", "value_strings"),
        "only dense tensors and numbers are",
    )

    @staticmethod
    def f(
        *,
        value=None,
        value_float=None,
        value_floats=None,
        value_int=None,
        value_ints=None,
    ):
        if value is not None:
            return value
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


@register("Range", since=11)
class Range(ClearOnly):
    """The numbers from `start` on, `delta` apart, that do not reach `limit`."""

    @staticmethod
    def f(start, limit, delta):
        start, limit, delta = map(np.asarray, (start, limit, delta))
        return np.arange(start.item(), limit.item(), delta.item()).astype(start.dtype)


@register("ReduceProd", since=13)
class ReduceProd(ClearOnly):
    """The product of the elements along axes."""

    @staticmethod
    def f(x, *, axes=None, keepdims=1):
        return reduced(np.prod, x, axes, keepdims)


@register("ReduceProd", since=18)
class ReduceProd18(ClearOnly):
    """The product of the elements along axes, which are an input since opset 18."""

    @staticmethod
    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        return reduced(np.prod, x, axes, keepdims, noop_with_empty_axes)


@register("Shape", since=13)
class Shape(ClearOnly):
    """The sizes of a tensor."""

    reads_sizes = True

    @staticmethod
    def f(x):
        return np.array(x.shape, np.int64)


@register("Shape", since=15)
class Shape15(ClearOnly):
    """The sizes of the axes from `start` to ``end - 1``."""

    reads_sizes = True

    @staticmethod
    def f(x, *, start=0, end=None):
        return np.array(x.shape[start:end], np.int64)


@register("Size", since=13)
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
