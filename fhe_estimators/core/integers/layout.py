"""Operators without tables, appended to a builder by other operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Node
from fhe_estimators.core.integers.builder import IntegerBuilder
from fhe_estimators.core.integers.tensors import Encrypted


def rearrange(
    builder: IntegerBuilder,
    x: Encrypted,
    op: str,
    parameters: Sequence[np.ndarray | None],
    result: str,
    **attributes: Any,
) -> Encrypted:
    """Append a layout operator and return its result.

    Parameters
    ----------
    builder : IntegerBuilder
    x : Encrypted
        Without a pending function.
    op : str
    parameters : sequence of ndarray of int64 or None
        The operator's inputs behind the first.
    result : str
        Name of the result.
    **attributes
        Of the operator.
    """
    node = Node(op, ("",), ("",), attributes)
    tensor = x.laid_out(result, lambda array: builder.compute(node, array, *parameters))
    constants = (
        "" if array is None else builder.constant(f"{result}.parameter", array)
        for array in parameters
    )
    name = builder.emit(
        op, (x.name, *constants), tensor.low, tensor.high, result=result, **attributes
    )
    return replace(tensor, name=name)


def take_slice(
    builder: IntegerBuilder,
    x: Encrypted,
    axis: int,
    part: slice,
    result: str,
) -> Encrypted:
    """Return ``x[part]`` along an axis; `part` has a start and a stop."""
    step = 1 if part.step is None else part.step
    numbers = [np.array([n], np.int64) for n in (part.start, part.stop, axis, step)]
    return rearrange(builder, x, "Slice", numbers, result)


def expand(
    builder: IntegerBuilder, x: Encrypted, shape: Sequence[int], result: str
) -> Encrypted:
    """Return the tensor, repeated along axes of size one, if need be."""
    if x.shape == tuple(shape):
        return x
    return rearrange(builder, x, "Expand", [np.array(shape, np.int64)], result)


def pad_with(
    builder: IntegerBuilder,
    x: Encrypted,
    widths: Sequence[tuple[int, int]],
    number: float,
    result: str,
) -> Encrypted:
    """Return the tensor padded with one real number, which costs nothing.

    The integers of the padding are zero, and their offset is the number.

    Parameters
    ----------
    widths : sequence of tuple of int
        Elements in front of and behind each axis; none of them negative.
    """
    if not np.any(widths):
        return x
    pads = np.array(widths, np.int64).T.ravel()
    # A scale like its neighbours', so that scales stay the same along axes.
    scale = np.pad(x.scale, widths, mode="edge")
    offset = np.pad(x.offset, widths, constant_values=number)
    low, high = np.pad(x.low, widths), np.pad(x.high, widths)
    pads_name = builder.constant(f"{result}.pads", pads)
    name = builder.emit("Pad", (x.name, pads_name), low, high, result=result)
    return Encrypted(name, scale, offset, low, high)


def sum_over(
    builder: IntegerBuilder,
    x: Encrypted,
    axes: Sequence[int],
    result: str,
    *,
    keepdims: bool = False,
) -> Encrypted:
    """Return the sum along axes, where `x` has one scale; it needs no table."""

    def summed(array: np.ndarray) -> np.ndarray:
        return np.asarray(array.sum(axis=tuple(axes), keepdims=keepdims))

    low, high = summed(x.low), summed(x.high)
    first = tuple(
        slice(0, 1) if axis in axes else slice(None) for axis in range(x.low.ndim)
    )
    scale = summed(x.scale[first])
    constant = builder.constant(f"{result}.axes", np.array(axes, np.int64))
    inputs = (x.name, constant)
    name = builder.emit(
        "ReduceSum", inputs, low, high, result=result, keepdims=int(keepdims)
    )
    return Encrypted(name, scale, summed(x.offset), low, high)
