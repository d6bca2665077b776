"""Pending functions as tables of integers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fhe_estimators.core.integers.alignment import align
from fhe_estimators.core.integers.kept_bits import KeptBits
from fhe_estimators.core.integers.tensors import Encrypted, Grid
from fhe_estimators.exceptions import BitWidthError

if TYPE_CHECKING:
    from fhe_estimators.core.integers.builder import IntegerBuilder

#: Tables that are larger, before rounding, are not aligned with their functions.
_MOST_ENTRIES = 2**25
#: Integers beside each other that a table has entries for at least: fewer save little.
_FEWEST_COVERED = 15
#: The part of the margin that is kept in any case.
_LEAST_MARGIN = 0.7
#: Bits of an entry's integers that are told apart to align it.
_FINEST = 7


def look_up(
    builder: IntegerBuilder, tensor: Encrypted, result: str, grid: Grid
) -> Encrypted:
    """Append the table that computes the pending function.

    The entry for the integers around ``x`` is
    ``grid.integers(function(scale * x + offset))``.
    """
    kept_bits = KeptBits() if tensor.whole else builder.kept_bits
    start, low, high, wraps = _covered(builder, tensor, kept_bits, result)
    # The function of integers that are counted from there.
    counted = replace(
        tensor,
        offset=tensor.offset + tensor.scale * start,
        low=tensor.low - start,
        high=tensor.high - start,
    )
    first, lsbs, size = kept_bits.index(low, high, result)
    kept = (size - 1).bit_length()
    if kept > builder.table_bits:
        raise BitWidthError(
            f"The table that computes {result!r} reads {kept} bits of {tensor.name!r}; "
            f"the limit is {builder.table_bits}. Round sums to fewer bits, use a "
            "smaller n_bits, fewer inputs per neuron, or prune weights."
        )
    shift = np.zeros_like(start)
    width, n_elements = high - low + 1, start.size
    fine = max(0, lsbs - _FINEST)
    if lsbs and (width >> fine) * n_elements <= _MOST_ENTRIES:
        # In steps of ``2**fine`` integers, each as the one in its middle.
        steps = np.arange(((high - low) >> fine) + 1) << fine
        middle = np.minimum(low + steps + 0.5 * ((1 << fine) - 1), high)
        spare = int(kept_bits.approximate)
        seen = builder.samples[tensor.name] - start - low
        most = min(_room(high - first, lsbs, kept, spare), (1 << lsbs) - 1)
        shift, table = align(
            _entries(counted, grid, middle).reshape(len(steps), -1),
            seen.reshape(-1, n_elements).astype(np.int64) >> fine,
            builder.weights,
            lsbs - fine,
            (first - low) >> fine,
            most >> fine,
            spare,
        )
        table = table.reshape(len(table), *tensor.shape[1:])
        shift = shift.reshape(tensor.shape) << fine
    else:
        # The middle of the integers that share an index.
        middle = first + (np.arange(size) << lsbs) - 0.5 * (lsbs > 0)
        table = _entries(counted, grid, np.clip(middle, low, high))
    if wraps:
        missing = [(0, (1 << kept) - len(table)), *[(0, 0)] * (table.ndim - 1)]
        table = np.pad(table, missing, "edge")
    name = _shifted(builder, tensor, shift - start, result)
    low_end, high_end = table.min(axis=0, keepdims=True), table.max(axis=0, keepdims=True)
    if wraps:
        low_end, high_end = np.minimum(low_end, -high_end), np.maximum(high_end, -low_end)
    ends = np.broadcast_to(low_end, tensor.shape), np.broadcast_to(high_end, tensor.shape)
    attributes: dict[str, Any] = {"first": first}
    if lsbs:
        attributes |= {"lsbs": lsbs, "approximate": int(kept_bits.approximate)}
    if wraps:
        attributes["wraps"] = 1 << kept
    name = builder.emit(
        "TableLookup",
        (
            name,
            builder.constant(f"{result}.table", _compact(table)),
        ),
        *ends,
        result=result,
        **attributes,
    )
    return Encrypted(
        name,
        np.broadcast_to(grid.scale, tensor.shape),
        np.broadcast_to(grid.offset, tensor.shape),
        *ends,
    )


def count_from_lowest(builder: IntegerBuilder, tensor: Encrypted) -> Encrypted:
    """Return the same real tensor on integers of which the smallest is zero."""
    name = _shifted(builder, tensor, -tensor.low, tensor.name)
    offset = tensor.offset + tensor.scale * tensor.low
    low, high = np.zeros_like(tensor.low), tensor.high - tensor.low
    return replace(tensor, name=name, offset=offset, low=low, high=high)


def _shifted(
    builder: IntegerBuilder, tensor: Encrypted, by: np.ndarray, result: str
) -> str:
    """Append ``tensor + by`` and return its name; that of `tensor` if `by` is zero."""
    if not by.any():
        return tensor.name
    constant = builder.constant(f"{result}.shift", by)
    ends = tensor.low + by, tensor.high + by
    return builder.emit("Add", (tensor.name, constant), *ends, result=f"{result}.index")


def _compact(table: np.ndarray) -> np.ndarray:
    """Return a table with size 1 along the axes of elements that have equal tables."""
    for axis in range(1, table.ndim):
        one = table.take([0], axis)
        table = one if np.array_equal(np.broadcast_to(one, table.shape), table) else table
    return table if table[0].size > 1 else table.ravel()


def _room(high: int, lsbs: int, kept: int, spare: int) -> int:
    """Return the largest shift of integers up to `high` that an index has room for.

    The index ``(high + shift + half) >> lsbs`` has to stay below ``2**kept - spare``.
    """
    half = (1 << lsbs) >> 1
    return ((1 << kept) - spare << lsbs) - 1 - half - high


def _covered(
    builder: IntegerBuilder, tensor: Encrypted, kept_bits: KeptBits, result: str
) -> tuple[np.ndarray, int, int, bool]:
    """Return the range of integers that a table has entries for.

    Returns
    -------
    start : ndarray of int64 of shape (1, ...)
        From where the integers of each element are counted.
    low, high : int
        The smallest and the largest one, counted from there.
    wraps : bool
        Whether there are others.
    """
    start = _starts(tensor)
    low, high = int((tensor.low - start).min()), int((tensor.high - start).max())
    if builder.margin is None:
        return start, low, high, False
    # A smaller margin, if it takes a bit less.
    windows = [
        _window(builder, tensor, part * builder.margin, kept_bits, result)
        for part in (1.0, _LEAST_MARGIN)
    ]
    lowest, spans, (first, lsbs, size) = min(windows, key=lambda window: window[2][1])
    _, most_lsbs, most_size = kept_bits.index(low, high, result)
    kept = (size - 1).bit_length()
    if kept + lsbs >= (most_size - 1).bit_length() + most_lsbs:
        return start, low, high, False
    # All that as many bits hold, but for what the best shift may take; in the middle of it
    # are the integers that were seen.
    room = _room(int(spans.max()) - first, lsbs, kept, int(kept_bits.approximate))
    high = int(spans.max()) + max(0, room - (1 << lsbs) + 1)
    return lowest - (high - spans) // 2, 0, high, True


def _window(
    builder: IntegerBuilder,
    tensor: Encrypted,
    margin: float,
    kept_bits: KeptBits,
    result: str,
) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int]]:
    """Return the smallest likely integers, how many there are, and how they are rounded."""
    seen = builder.samples[tensor.name]
    lowest, highest = seen.min(axis=0, keepdims=True), seen.max(axis=0, keepdims=True)
    by = np.ceil(margin * (highest - lowest)).astype(np.int64)
    by = np.maximum(by, (_FEWEST_COVERED - (highest - lowest)) // 2)
    low = np.maximum(tensor.low, lowest - by)
    spans = np.minimum(tensor.high, highest + by) - low
    return low, spans, kept_bits.index(0, int(spans.max()), result)


def _starts(tensor: Encrypted) -> np.ndarray:
    """Return the integer of each element, of shape (1, ...), that index 0 stands for.

    From their smallest one, if one table then takes fewer bits: ranges of elements may lie
    apart.
    """
    together = int(tensor.high.max() - tensor.low.min())
    widest = int((tensor.high - tensor.low).max())
    apart = widest.bit_length() < together.bit_length()
    return tensor.low if apart else np.zeros_like(tensor.low)


def _entries(tensor: Encrypted, grid: Grid, steps: np.ndarray) -> np.ndarray:
    """Return the entries of a table: the pending function of integers, on a grid."""
    steps = steps.reshape(-1, *[1] * (len(tensor.shape) - 1))
    # Some integers of the range stand for numbers that no row gives, where the function may
    # be undefined (a logarithm below zero): any entry is right there.
    with np.errstate(all="ignore"):
        real = np.asarray(tensor.real(steps), float)
        top = np.finfo(float).max
        real = np.where(np.isnan(real), grid.offset, np.clip(real, -top, top))
        return grid.integers(real)
