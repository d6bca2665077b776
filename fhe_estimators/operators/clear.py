"""Operators that run in clear only: the client computes them on decrypted numbers."""

from __future__ import annotations

import numpy as np
from scipy import special

from fhe_estimators.operators._base import QuantizedOp, register


class Clear(QuantizedOp):
    """Family base."""

    encrypted = False


def _axes(axes):
    return None if axes is None or len(axes) == 0 else tuple(int(axis) for axis in axes)


@register("ArgMax", since=13)
class ArgMax(Clear):
    """Where the largest element is."""

    def f(x, *, axis=0, keepdims=1, select_last_index=0):
        if select_last_index:
            last = x.shape[axis] - 1
            index = last - np.argmax(np.flip(x, axis), axis=axis)
        else:
            index = np.argmax(x, axis=axis)
        return np.expand_dims(index, axis) if keepdims else index


@register("Concat", since=13)
class Concat(Clear):
    """Tensors one behind the other."""

    def f(*tensors, axis):
        return np.concatenate(tensors, axis=axis)


@register("Constant", since=13)
class Constant(Clear):
    """A clear tensor."""

    refuses = dict.fromkeys(
        ("sparse_value", "value_string", "value_strings"),
        "only dense tensors and numbers are",
    )

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


@register("Gather", since=13)
class Gather(Clear):
    """Slices of a tensor by index."""

    integer = True

    def f(x, indices, *, axis=0):
        return np.take(x, indices, axis=axis)


@register("ReduceMax", since=13)
class ReduceMax(Clear):
    """The largest element along axes."""

    def f(x, *, axes=None, keepdims=1):
        return np.max(x, axis=_axes(axes), keepdims=bool(keepdims))


@register("ReduceMax", since=18)
class ReduceMax18(Clear):
    """The largest element along axes, which are an input since opset 18."""

    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        if _axes(axes) is None and noop_with_empty_axes:
            return x
        return np.max(x, axis=_axes(axes), keepdims=bool(keepdims))


@register("ReduceSum", since=13)
class ReduceSum(Clear):
    """The sum along axes."""

    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        if _axes(axes) is None and noop_with_empty_axes:
            return x
        return np.sum(x, axis=_axes(axes), keepdims=bool(keepdims))


@register("LogSoftmax", since=13)
class LogSoftmax(Clear):
    """The logarithm of the softmax."""

    def f(x, *, axis=-1):
        return special.log_softmax(x, axis=axis)


@register("Softmax", since=13)
class Softmax(Clear):
    """``exp(x)`` over its sum along an axis."""

    def f(x, *, axis=-1):
        return special.softmax(x, axis=axis)
