"""Reductions: one number for all elements along some axes."""

from __future__ import annotations

import numpy as np

from fhe_estimators.operators._base import QuantizedOp, register


def reduced(function, x, axes, keepdims, noop_with_empty_axes=0, **options):
    """Apply numpy's `function` along axes; without axes, along all or none."""
    if axes is None or len(axes) == 0:
        if noop_with_empty_axes:
            return x
        axes = range(x.ndim)
    axes = tuple(int(axis) for axis in axes)
    return function(x, axis=axes, keepdims=bool(keepdims), **options)


def smallest(dtype):
    """Return what is below every number of a type."""
    if dtype.kind == "b":
        return False
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def largest(dtype):
    """Return what is above every number of a type."""
    if dtype.kind == "b":
        return True
    return np.iinfo(dtype).max if dtype.kind in "iu" else np.inf


@register("ReduceMax", since=13)
class ReduceMax(QuantizedOp):
    """The largest element along axes."""

    def f(x, *, axes=None, keepdims=1):
        return reduced(np.max, x, axes, keepdims, initial=smallest(x.dtype))


@register("ReduceMax", since=18)
class ReduceMax18(ReduceMax):
    """The largest element along axes, which are an input since opset 18."""

    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        first = smallest(x.dtype)
        return reduced(np.max, x, axes, keepdims, noop_with_empty_axes, initial=first)


@register("ReduceMean", since=13)
class ReduceMean(QuantizedOp):
    """The mean along axes."""

    def f(x, *, axes=None, keepdims=1):
        return reduced(np.mean, x, axes, keepdims)


@register("ReduceMean", since=18)
class ReduceMean18(ReduceMean):
    """The mean along axes, which are an input since opset 18."""

    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        return reduced(np.mean, x, axes, keepdims, noop_with_empty_axes)


@register("ReduceMin", since=13)
class ReduceMin(QuantizedOp):
    """The smallest element along axes."""

    def f(x, *, axes=None, keepdims=1):
        return reduced(np.min, x, axes, keepdims, initial=largest(x.dtype))


@register("ReduceMin", since=18)
class ReduceMin18(ReduceMin):
    """The smallest element along axes, which are an input since opset 18."""

    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        first = largest(x.dtype)
        return reduced(np.min, x, axes, keepdims, noop_with_empty_axes, initial=first)


@register("ReduceSum", since=13)
class ReduceSum(QuantizedOp):
    """The sum along axes."""

    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        return reduced(np.sum, x, axes, keepdims, noop_with_empty_axes)
