"""Pools: one number for each window of a channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fhe_estimators.core.graph import Node
from fhe_estimators.core.integers import arithmetic
from fhe_estimators.core.integers.builder import IntegerBuilder
from fhe_estimators.core.integers.layout import pad_with, take_slice
from fhe_estimators.core.integers.tensors import Encrypted
from fhe_estimators.core.operators._base import Operand, QuantizedOp, register
from fhe_estimators.core.operators._windows import (
    Axis,
    padding,
    spatial,
    spread,
    window_axes,
    windows,
)
from fhe_estimators.core.operators.reduction import Axes, ReduceMax, ReduceMean, smallest
from fhe_estimators.exceptions import UnsupportedOperatorError

Pair = Callable[[IntegerBuilder, Encrypted, Encrypted, str], Encrypted]


class Pool(QuantizedOp):
    """Family base: the elements of each window are combined two by two, axis by axis."""

    def pooled(
        self, x: Encrypted, axes: Sequence[Axis], builder: IntegerBuilder, pair: Pair
    ) -> Encrypted:
        """Return the combination of the elements of each window."""
        result = self.node.outputs[0]
        for place, axis in enumerate(axes, start=2):
            elements = []
            for start in range(0, axis.extent, axis.dilation):
                stop = start + (axis.n_windows - 1) * axis.stride + 1
                if (start, stop, axis.stride) == (0, x.shape[place], 1):
                    elements.append(x)
                    continue
                each = slice(start, stop, axis.stride)
                elements.append(take_slice(builder, x, place, each, f"{result}.part"))
            x, *others = elements
            for other in others:
                x = pair(builder, x, other, f"{result}.pair")
        return x


@register("AveragePool", since=7)
class AveragePool(Pool):
    """The mean of each window.

    Sums of encrypted integers; the number of elements goes into the scale.
    """

    by_channel = True
    free = True
    sums = True

    @staticmethod
    def f(
        x,
        *,
        kernel_shape,
        auto_pad="NOTSET",
        ceil_mode=0,
        count_include_pad=0,
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
        sums = windows(x, axes, 0).sum(axis=tuple(range(-len(axes), 0)))
        counts = spread([axis.counts(padding=bool(count_include_pad)) for axis in axes])
        return (sums / counts).astype(x.dtype, copy=False)

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Add the integers of each window."""
        (x,) = operands
        assert isinstance(x, Encrypted)
        x = builder.materialize(x, self.node.inputs[0], units_along=(1,))
        axes = spatial(self, x.shape)
        x = pad_with(builder, x, padding(axes), 0.0, f"{self.node.outputs[0]}.padded")
        sums = self.pooled(x, [axis.inside() for axis in axes], builder, arithmetic.add)
        with_padding = bool(self.attributes.get("count_include_pad", 0))
        counts = spread([axis.counts(padding=with_padding) for axis in axes])
        return sums.scaled(1 / counts, np.zeros(1))


@register("MaxPool", since=1)
class MaxPool(Pool):
    """The largest element of each window.

    A table for each pair of elements; along one axis first, then along the next.
    """

    by_channel = True

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        # `storage_order` orders the second result; there is none.
        if len(node.outputs) > 1:
            raise UnsupportedOperatorError(
                f"Node {node}: its second result, where the largest elements are, is not "
                "supported."
            )

    @staticmethod
    def f(
        x,
        *,
        kernel_shape,
        auto_pad="NOTSET",
        ceil_mode=0,
        dilations=None,
        pads=None,
        storage_order=0,
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

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Combine integers; padding is the smallest of them."""
        (x,), result = operands, self.node.outputs[0]
        assert isinstance(x, Encrypted)
        x = arithmetic.comparable(builder, x, self.node.inputs[0], (1,))
        axes = spatial(self, x.shape)
        if np.any(padding(axes)):
            x = _with_smallest(builder, x, padding(axes), result)
        axes = tuple(axis.inside() for axis in axes)
        return self.pooled(x, axes, builder, arithmetic.largest_of)


def _with_smallest(
    builder: IntegerBuilder, x: Encrypted, widths: list[tuple[int, int]], result: str
) -> Encrypted:
    """Return the tensor padded with integers not above any element of their channel."""
    # A margin holds zeros: less than all integers once these are shifted.
    lowest = int(x.low.min())
    shift = builder.constant(f"{result}.shift", np.full(1, lowest))
    low, high = x.low - lowest, x.high - lowest
    name = builder.emit("Sub", (x.name, shift), low, high, result=f"{result}.shifted")
    shifted = Encrypted(name, x.scale, x.offset + x.scale * lowest, low, high)
    wide = pad_with(builder, shifted, widths, 0.0, f"{result}.padded")
    spatial_axes = tuple(range(2, x.offset.ndim))
    smallest_of_channel = shifted.offset.min(axis=spatial_axes, keepdims=True)
    offset = np.broadcast_to(smallest_of_channel, wide.shape).copy()
    inner = [slice(a, a + size) for (a, _), size in zip(widths, x.shape, strict=True)]
    offset[tuple(inner)] = shifted.offset
    return replace(wide, offset=offset)


@register("GlobalAveragePool", since=1)
class GlobalAveragePool(ReduceMean):
    """The mean of each channel."""

    by_channel = True

    @staticmethod
    def f(x):
        return np.mean(x, axis=tuple(range(2, x.ndim)), keepdims=True)

    def axes(self, rank: int, parameters: Sequence[Operand]) -> Axes:
        """Return the spatial axes, which stay with size one."""
        return tuple(range(2, rank)), True


@register("GlobalMaxPool", since=1)
class GlobalMaxPool(ReduceMax):
    """The largest element of each channel."""

    by_channel = True

    @staticmethod
    def f(x):
        return np.max(x, axis=tuple(range(2, x.ndim)), keepdims=True)

    def axes(self, rank: int, parameters: Sequence[Operand]) -> Axes:
        """Return the spatial axes, which stay with size one."""
        return tuple(range(2, rank)), True
