"""Sets of bins of a feature, and partitions of its bins.

A partition says of which bins a function of a feature is the same. Edges alone cut bins
into intervals; several sets of bins, such as categories, cut them into *atoms*: bins that
are in the same of these sets, wherever they lie.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

#: Beyond every bin.
_END = 1 << 30
#: A set of bins, ``low < bin <= high`` for each pair of numbers, which increase.
Bounds = tuple[int, ...]
#: The bins of a feature of which nothing is known.
ANY: Bounds = (-1, _END)


def complement(bounds: Bounds) -> Bounds:
    """Return the bins that are not in a set."""
    if len(bounds) == 2 and bounds[0] == ANY[0]:
        return (bounds[1], _END) if bounds[1] < _END else ()
    ends = [ANY[0], *bounds, _END]
    return _joined([(low, high) for low, high in zip(ends[::2], ends[1::2], strict=True)])


def intersection(some: Bounds, others: Bounds) -> Bounds:
    """Return the bins that are in both of two sets."""
    if len(some) == len(others) == 2:
        low, high = max(some[0], others[0]), min(some[1], others[1])
        return (low, high) if low < high else ()
    return _joined(
        sorted(
            (max(low, least), min(high, most))
            for low, high in zip(some[::2], some[1::2], strict=True)
            for least, most in zip(others[::2], others[1::2], strict=True)
        )
    )


def _joined(intervals: list[tuple[int, int]]) -> Bounds:
    """Return the union of intervals, in order; empty ones are left out."""
    bounds: list[int] = []
    for low, high in intervals:
        if low >= high:
            continue
        if bounds and low <= bounds[-1]:
            bounds[-1] = max(high, bounds[-1])
        else:
            bounds += (low, high)
    return tuple(bounds)


def contains(bounds: Bounds, bins: np.ndarray) -> np.ndarray:
    """Return whether each of an array of bins is in a set."""
    if len(bounds) == 2 and bounds[0] == ANY[0]:
        return bins <= bounds[1]
    inside: np.ndarray = (np.searchsorted(bounds, bins, side="left") & 1).astype(bool)
    return inside


class Atoms(NamedTuple):
    """A partition of bins into classes of which some are no interval.

    Parameters
    ----------
    edges : int
        The edges that divide bins of different classes: bit ``i`` is set for edge ``i``.
    classes : tuple of int
        Of the intervals between these edges. The class of the last one is 0; the others
        are numbered as they come up, from the last interval on.
    """

    edges: int
    classes: tuple[int, ...]


#: A partition: of intervals, by the edges that divide them, or of atoms.
Partition = int | Atoms


def edges_of(mask: int) -> list[int]:
    """Return the places of the bits of `mask` that are set, from 0 on."""
    return [edge for edge in range(mask.bit_length()) if mask >> edge & 1]


def n_classes(partition: Partition) -> int:
    """Return the number of classes of a partition."""
    if isinstance(partition, int):
        return partition.bit_count() + 1
    return max(partition.classes) + 1


def intervals(partition: Partition) -> tuple[list[int], tuple[int, ...]]:
    """Return the edges between intervals of bins, and the class of each of these.

    One edge less: the last interval has no end. Its class is 0.
    """
    if isinstance(partition, int):
        edges = edges_of(partition)
        return edges, tuple(range(len(edges), -1, -1))
    return edges_of(partition.edges), partition.classes


def classes_of(partition: Partition, bins: np.ndarray) -> np.ndarray:
    """Return the class of each of an array of bins."""
    edges, classes = intervals(partition)
    found: np.ndarray = np.array(classes)[np.searchsorted(edges, bins, side="left")]
    return found


def of_set(bounds: Bounds) -> Partition:
    """Return the partition into the bins of a set and all others."""
    if len(bounds) == 2 and bounds[0] == ANY[0] and bounds[1] < _END:
        return 1 << bounds[1]
    ends = [end for end in bounds if ANY[0] < end < _END]
    mask = sum(1 << end for end in ends)
    if len(ends) == 1:
        return mask
    # Intervals are in the set and out of it by turns.
    return Atoms(mask, tuple(i & 1 for i in range(len(ends), -1, -1)))


def joined(some: Partition, others: Partition) -> Partition:
    """Return the coarsest partition that is as fine as each of two.

    Where both are of intervals it is that of all their edges.
    """
    if isinstance(some, int) and isinstance(others, int):
        return some | others
    return _joined_atoms(some, others)


@lru_cache(maxsize=2**12)
def _joined_atoms(some: Partition, others: Partition) -> Partition:
    mask = _edges(some) | _edges(others)
    # One bin of each interval; the last ones have none beyond.
    bins = np.array([*edges_of(mask), _END])
    pairs = list(
        zip(classes_of(some, bins).tolist(), classes_of(others, bins).tolist(), strict=True)
    )
    numbers: dict[tuple[int, int], int] = {}
    for pair in reversed(pairs):
        numbers.setdefault(pair, len(numbers))
    classes = tuple(numbers[pair] for pair in pairs)
    if len(numbers) == len(pairs):
        return mask
    assert all(one != next_ for one, next_ in pairwise(classes))
    return Atoms(mask, classes)


def _edges(partition: Partition) -> int:
    return partition if isinstance(partition, int) else partition.edges
