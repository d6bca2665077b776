"""Pools: one number for each window of a channel."""

from __future__ import annotations

import numpy as np

from fhe_estimators.exceptions import UnsupportedOperatorError
from fhe_estimators.graph import Node
from fhe_estimators.operators._base import QuantizedOp, register
from fhe_estimators.operators._windows import spread, window_axes, windows
from fhe_estimators.operators.reduction import smallest


@register("AveragePool", since=11)
class AveragePool(QuantizedOp):
    """The mean of each window."""

    def f(
        x,
        *,
        kernel_shape,
        auto_pad="NOTSET",
        ceil_mode=0,
        count_include_pad=0,
        pads=None,
        strides=None,
    ):
        axes = window_axes(
            x.shape[2:],
            kernel_shape,
            auto_pad=auto_pad,
            ceil_mode=ceil_mode,
            pads=pads,
            strides=strides,
        )
        sums = windows(x, axes, 0).sum(axis=tuple(range(-len(axes), 0)))
        counts = spread([axis.counts(padding=bool(count_include_pad)) for axis in axes])
        return (sums / counts).astype(x.dtype, copy=False)


@register("MaxPool", since=12)
class MaxPool(QuantizedOp):
    """The largest element of each window."""

    refuses = {"storage_order": "it orders the second result, which is not served"}

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        if len(node.outputs) > 1:
            raise UnsupportedOperatorError(
                f"Node {node}: its second result, where the largest elements are, is not "
                "supported."
            )

    def f(
        x,
        *,
        kernel_shape,
        auto_pad="NOTSET",
        ceil_mode=0,
        dilations=None,
        pads=None,
        strides=None,
    ):
        axes = window_axes(
            x.shape[2:],
            kernel_shape,
            auto_pad=auto_pad,
            ceil_mode=ceil_mode,
            dilations=dilations,
            pads=pads,
            strides=strides,
        )
        view = windows(x, axes, smallest(x.dtype))
        return view.max(axis=tuple(range(-len(axes), 0)))


@register("GlobalAveragePool", since=1)
class GlobalAveragePool(QuantizedOp):
    """The mean of each channel."""

    def f(x):
        return np.mean(x, axis=tuple(range(2, x.ndim)), keepdims=True)


@register("GlobalMaxPool", since=1)
class GlobalMaxPool(QuantizedOp):
    """The largest element of each channel."""

    def f(x):
        return np.max(x, axis=tuple(range(2, x.ndim)), keepdims=True)
