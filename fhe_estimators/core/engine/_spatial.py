"""Operators on images, written in what the engine has: convolutions in two dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Node


def convolution(node: Node, fhe: Any) -> Callable[..., Any]:
    """Return the convolution of a tracer in one, two or three dimensions, without padding.

    In one dimension the images have a height of one. In three dimensions the depth of the
    windows becomes channels, and the depth of the images becomes rows.
    """
    group = node.attributes["group"]
    strides, dilations = node.attributes["strides"], node.attributes["dilations"]

    def plane(x: Any, w: np.ndarray, strides: Any, dilations: Any) -> Any:
        return fhe.conv(
            x, w, strides=tuple(strides), dilations=tuple(dilations), group=group
        )

    def apply(x: Any, w: np.ndarray) -> Any:
        rank = x.ndim - 2
        if rank == 2:
            return plane(x, w, strides, dilations)
        if rank == 1:
            n_rows, n_channels, length = x.shape
            high = x.reshape((n_rows, n_channels, 1, length))
            y = plane(high, w[:, :, np.newaxis], (1, *strides), (1, *dilations))
            return y.reshape((n_rows, len(w), y.shape[-1]))
        n_rows, n_channels, depth, *size = x.shape
        n_slices = w.shape[2]
        n_windows = (depth - dilations[0] * (n_slices - 1) - 1) // strides[0] + 1
        span = (n_windows - 1) * strides[0] + 1
        starts = range(0, n_slices * dilations[0], dilations[0])
        slices = tuple(x[:, :, a : a + span : strides[0]] for a in starts)
        # Rows, depth of windows, channels, windows, height, width; then as the weights.
        stacked = np.concatenate(slices, axis=1)
        stacked = stacked.reshape((n_rows, n_slices, n_channels, n_windows, *size))
        stacked = np.transpose(stacked, (0, 3, 2, 1, 4, 5))
        flat = stacked.reshape((n_rows * n_windows, n_channels * n_slices, *size))
        y = plane(flat, w.reshape(len(w), -1, *w.shape[3:]), strides[1:], dilations[1:])
        y = y.reshape((n_rows, n_windows, *y.shape[1:]))
        return np.transpose(y, (0, 2, 1, 3, 4))

    return apply


def padding(node: Node, fhe: Any) -> Callable[..., Any]:
    """Return the function that pads a tracer with encrypted zeros."""

    def apply(x: Any, pads: np.ndarray) -> Any:
        begin, end = np.reshape(pads, (2, x.ndim))
        wide = fhe.zeros(tuple(int(size) for size in begin + x.shape + end))
        inner = (slice(int(a), int(a) + n) for a, n in zip(begin, x.shape, strict=True))
        wide[tuple(inner)] = x
        return wide

    return apply
