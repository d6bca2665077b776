"""How tables are spread over many columns: by several small products, or by none.

The engine reads the weights of a product one by one, and takes as long for a product
itself as for ten thousands of them. So there are few products, of few weights each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array

from fhe_estimators.core.trees.columns import Column

#: Weights that one product of all tables and columns has at most, and each of several.
_MANY_WEIGHTS, _FEW_WEIGHTS = 1 << 19, 1 << 18
#: Columns that are worth a part of their own.
BLOCK = 64


def in_order(columns: list[Column]) -> list[Column]:
    """Return columns so that, of many, those which read the same tables are neighbours."""
    if len(columns) <= BLOCK:
        return columns

    def place(column: Column) -> tuple[float, int]:
        """Return where the first of the sorted terms stands that the column has."""
        if not column.terms:
            return math.inf, 0
        first = column.terms[0]
        if first.source is not None:
            return first.source, 0
        return math.inf, int(first.rows[0])

    return sorted(columns, key=place)


def weights_of(columns: Sequence[Column], n_rows: int) -> csr_array:
    """Return the weights of bits, and of tables behind these, in columns."""
    terms = [
        (number, term) for number, column in enumerate(columns) for term in column.terms
    ]
    none = np.empty(0, np.int64)
    rows = np.concatenate([none, *(term.rows for _, term in terms)])
    weights = np.concatenate([none, *(term.weights for _, term in terms)])
    numbers = np.repeat(
        np.array([number for number, _ in terms], np.int64),
        [len(term.rows) for _, term in terms],
    )
    # Entries of one place add up.
    found = coo_array((weights, (rows, numbers)), (n_rows, len(columns))).tocsr()
    found.eliminate_zeros()
    return found


class Part(NamedTuple):
    """Some columns, one after the other, and the tables that they are sums of.

    Parameters
    ----------
    columns : slice
    first, n_tables : int
        The columns read no other tables than these, which follow each other.
    is_copy : bool, default=False
        Whether the columns are the tables, one each.
    """

    columns: slice
    first: int
    n_tables: int
    is_copy: bool = False


def parts_of(spread: csc_array, linear: csc_array) -> Iterator[Part]:
    """Yield parts of columns: one of all if there are few weights.

    Parameters
    ----------
    spread : sparse array of int64 of shape (n_tables, n_columns)
        The weights of tables in columns.
    linear : sparse array of int64 of shape (n_bits, n_columns)
        Those of bits.
    """
    n_tables, n_columns = spread.shape
    if n_tables * n_columns <= _MANY_WEIGHTS or n_columns <= BLOCK:
        yield _summed(spread, 0, n_columns)
        return
    start = 0
    for copied in _copies(spread, linear):
        yield from _blocks(spread, start, copied.columns.start)
        yield copied
        start = copied.columns.stop
    yield from _blocks(spread, start, n_columns)


def _copies(spread: csc_array, linear: csc_array) -> list[Part]:
    """Return long runs of columns that are the tables of a run, one each."""
    if not spread.nnz:
        return []
    alone = (np.diff(spread.indptr) == 1) & (np.diff(linear.indptr) == 0)
    # Of columns without a table, what stands there is that of another one.
    at = np.minimum(spread.indptr[:-1], spread.nnz - 1)
    alone &= spread.data[at] == 1
    tables = np.where(alone, spread.indices[at], -1)
    follows = alone[1:] & alone[:-1] & (np.diff(tables) == 1)
    starts = np.flatnonzero(np.append(True, ~follows))
    lengths = np.diff(starts, append=len(alone))
    return [
        Part(slice(start, start + length), int(tables[start]), length, is_copy=True)
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
        if alone[start] and length >= BLOCK
    ]


def _blocks(spread: csc_array, start: int, stop: int) -> Iterator[Part]:
    """Yield parts of some columns; more than `BLOCK` if they have few weights."""
    while start < stop:
        number = min(BLOCK, stop - start)
        found = _summed(spread, start, start + number)
        while start + number < stop:
            more = _summed(spread, start, min(start + 2 * number, stop))
            size = more.columns.stop - start
            if size * more.n_tables > _FEW_WEIGHTS:
                break
            found, number = more, size
        yield found
        start += number


def _summed(spread: csc_array, start: int, stop: int) -> Part:
    """Return the part of some columns."""
    read = spread.indices[spread.indptr[start] : spread.indptr[stop]]
    first, last = (int(read.min()), int(read.max())) if read.size else (0, 0)
    return Part(slice(start, stop), first, last + 1 - first)
