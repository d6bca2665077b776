"""Reductions: one number for all elements along some axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from fhe_estimators.core.graph import Graph, Node
from fhe_estimators.core.integers import arithmetic
from fhe_estimators.core.integers.builder import IntegerBuilder
from fhe_estimators.core.integers.layout import rearrange, sum_over, take_slice
from fhe_estimators.core.integers.tensors import Encrypted
from fhe_estimators.core.operators._base import Operand, QuantizedOp, as_array, register
from fhe_estimators.core.operators.layout import axes_as_input

#: Axes, and whether they stay with size one.
Axes = tuple[tuple[int, ...], bool]


class Reduction(QuantizedOp):
    """Family base: the elements along some axes of an encrypted tensor become one.

    Their scales have to be the same; it may differ along the other axes.
    """

    def axes(self, rank: int, parameters: Sequence[Operand]) -> Axes:
        """Return the axes, from 0 on and sorted, and whether they stay with size one."""
        given = parameters[0] if parameters else self.attributes.get("axes")
        axes = [] if given is None else np.ravel(as_array(given)).tolist()
        if not axes and not self.attributes.get("noop_with_empty_axes", 0):
            axes = list(range(rank))
        axes = sorted({int(axis) % rank for axis in axes})
        return tuple(axes), bool(self.attributes.get("keepdims", 1))

    def quantize(self, operands: Sequence[Operand], builder: IntegerBuilder) -> Encrypted:
        """Reduce integers."""
        x, *parameters = operands
        if not isinstance(x, Encrypted):
            raise self.unsupported("its axes are encrypted")
        axes, keepdims = self.axes(len(x.shape), parameters)
        if 0 in axes:
            raise self.unsupported("it reduces the first axis, which holds rows")
        if not axes:
            return x
        kept = tuple(axis for axis in range(1, len(x.shape)) if axis not in axes)
        x = self.operand(x, kept, builder)
        return self.reduce(x, axes, keepdims, builder)

    def operand(
        self, x: Encrypted, kept: tuple[int, ...], builder: IntegerBuilder
    ) -> Encrypted:
        """Return the operand with scales that differ along the axes `kept` only."""
        return builder.materialize(x, self.node.inputs[0], units_along=kept)

    def reduce(
        self, x: Encrypted, axes: tuple[int, ...], keepdims: bool, builder: IntegerBuilder
    ) -> Encrypted:
        """Return the reduced tensor, given one with the same scale along `axes`."""
        raise NotImplementedError


_Class = TypeVar("_Class", bound=type[QuantizedOp])


def also_before_18(newest: _Class) -> _Class:
    """Register an older version of a reduction, too, whose axes are an attribute.

    They are an input since opset 18; those of ReduceSum since opset 13.
    """

    @register(newest.op_type, since=1)
    class Older(newest):  # type: ignore[misc, valid-type] # of any reduction
        __doc__ = newest.__doc__

        @staticmethod
        def f(x, *, axes=None, keepdims=1):
            return newest.f(x, axes, keepdims=keepdims)

        body = staticmethod(axes_as_input)

    Older.__name__ = f"{newest.__name__}1"
    return newest


class Extreme(Reduction):
    """Family base: elements are combined two by two, a table for each pair."""

    def operand(
        self, x: Encrypted, kept: tuple[int, ...], builder: IntegerBuilder
    ) -> Encrypted:
        """Return the operand with integers that can be compared."""
        return arithmetic.comparable(builder, x, self.node.inputs[0], kept)

    def pair(
        self, builder: IntegerBuilder, a: Encrypted, b: Encrypted, result: str
    ) -> Encrypted:
        """Return the result for two tensors."""
        raise NotImplementedError

    def reduce(
        self, x: Encrypted, axes: tuple[int, ...], keepdims: bool, builder: IntegerBuilder
    ) -> Encrypted:
        """Halve the tensor along each axis, again and again."""
        result = self.node.outputs[0]
        name = f"{result}.part"
        for axis in axes:
            rest: list[Encrypted] = []
            while (size := x.shape[axis]) > 1:
                half = size // 2
                if size % 2:
                    rest.append(take_slice(builder, x, axis, slice(size - 1, size), name))
                a = take_slice(builder, x, axis, slice(0, half), name)
                b = take_slice(builder, x, axis, slice(half, 2 * half), name)
                x = self.pair(builder, a, b, f"{result}.pair")
            for other in rest:
                x = self.pair(builder, x, other, f"{result}.pair")
        return x if keepdims else rearrange(builder, x, "Squeeze", [np.array(axes)], result)


def reduced(function, x, axes, keepdims, noop_with_empty_axes=0, **options):
    """Apply numpy's `function` along axes; without axes, along all or none."""
    if axes is None or len(axes) == 0:
        if noop_with_empty_axes:
            return x
        axes = range(x.ndim)
    axes = tuple(int(axis) for axis in axes)
    return function(x, axis=axes, keepdims=bool(keepdims), **options)


def smallest(dtype):
    """Return -inf or the least integer of a dtype."""
    if dtype.kind == "b":
        return False
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def largest(dtype):
    """Return inf or the largest integer of a dtype."""
    if dtype.kind == "b":
        return True
    return np.iinfo(dtype).max if dtype.kind in "iu" else np.inf


@also_before_18
@register("ReduceMax", since=18)
class ReduceMax(Extreme):
    """The largest element along axes."""

    @staticmethod
    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        first = smallest(x.dtype)
        return reduced(np.max, x, axes, keepdims, noop_with_empty_axes, initial=first)

    def pair(self, builder, a, b, result):
        """Return the larger of two elements."""
        return arithmetic.largest_of(builder, a, b, result)


@also_before_18
@register("ReduceMean", since=18)
class ReduceMean(Reduction):
    """The mean along axes."""

    free = True
    sums = True

    @staticmethod
    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        return reduced(np.mean, x, axes, keepdims, noop_with_empty_axes)

    def reduce(self, x, axes, keepdims, builder):
        """Add integers; their number goes into the scale."""
        count = np.prod([x.shape[axis] for axis in axes])
        sums = sum_over(builder, x, axes, self.node.outputs[0], keepdims=keepdims)
        return sums.scaled(np.full(1, 1 / count), np.zeros(1))


@also_before_18
@register("ReduceMin", since=18)
class ReduceMin(Extreme):
    """The smallest element along axes."""

    @staticmethod
    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        first = largest(x.dtype)
        return reduced(np.min, x, axes, keepdims, noop_with_empty_axes, initial=first)

    def pair(self, builder, a, b, result):
        """Return the smaller of two elements."""
        return arithmetic.smallest_of(builder, a, b, result)


@also_before_18
@register("ReduceSum", since=13)
class ReduceSum(Reduction):
    """The sum along axes."""

    additive = True
    free = True
    integer = True
    sums = True

    @staticmethod
    def f(x, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        return reduced(np.sum, x, axes, keepdims, noop_with_empty_axes)

    @classmethod
    def noise_factor(cls, node: Node, graph: Graph) -> float:
        """Return the root of how many elements are added up."""
        source, result = graph.value(node.inputs[0]), graph.value(node.outputs[0])
        return float(np.sqrt(source.row_size / result.row_size))

    def reduce(self, x, axes, keepdims, builder):
        """Add integers."""
        return sum_over(builder, x, axes, self.node.outputs[0], keepdims=keepdims)
