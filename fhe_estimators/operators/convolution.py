"""Convolutions."""

from __future__ import annotations

import numpy as np

from fhe_estimators.operators._base import QuantizedOp, register
from fhe_estimators.operators._windows import window_axes, windows


def patches(x, axes, group=1):
    """Return what each window holds, in the order of a group's weights.

    Shape (n_rows, group, n_windows, n_channels / group * elements of a window).
    """
    n_rows, n_channels = x.shape[:2]
    view = windows(x, axes, 0)
    rank = len(axes)
    view = view.reshape(n_rows, group, n_channels // group, *view.shape[2:])
    order = (0, 1, *range(3, 3 + rank), 2, *range(3 + rank, 3 + 2 * rank))
    n_windows = [axis.n_windows for axis in axes]
    return view.transpose(order).reshape(n_rows, group, int(np.prod(n_windows)), -1)


@register("Conv", since=11)
class Conv(QuantizedOp):
    """``sum w[m, c, j] * x[n, c, window + j] + b[m]`` over channels `c` and places `j`."""

    def f(
        x,
        w,
        b=None,
        *,
        auto_pad="NOTSET",
        dilations=None,
        group=1,
        kernel_shape=None,
        pads=None,
        strides=None,
    ):
        axes = window_axes(
            x.shape[2:],
            kernel_shape or w.shape[2:],
            auto_pad=auto_pad,
            dilations=dilations,
            pads=pads,
            strides=strides,
        )
        weights = w.reshape(group, len(w) // group, -1).swapaxes(1, 2)
        product = (patches(x, axes, group) @ weights).swapaxes(2, 3)
        result = product.reshape(len(x), len(w), *(axis.n_windows for axis in axes))
        return result if b is None else result + b.reshape(-1, *[1] * len(axes))
