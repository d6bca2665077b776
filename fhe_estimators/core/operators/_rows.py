"""Whether an operator mixes rows: what it gives a row may depend on that row alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.graph import as_tuple
from fhe_estimators.exceptions import GraphError

#: Examples that tell, and parts of them. A single row may be treated differently.
N_ROWS = 5
_PARTS = (slice(0, 2), slice(2, N_ROWS))


def row_by_row(
    function: Callable[..., Any],
    operands: Sequence[np.ndarray | None],
    rows: Collection[int],
) -> tuple[np.ndarray, ...]:
    """Return the results of a function of examples; nothing if it mixes their rows.

    It does not if all rows together give what parts of them give.

    Parameters
    ----------
    function : callable
        Gives an array, or a tuple of them.
    operands : sequence of ndarray or None
    rows : collection of int
        The operands that hold ``N_ROWS`` rows; the others are the same for all rows.
    """

    def results(part: slice) -> tuple[np.ndarray, ...]:
        arrays = [
            array[part] if place in rows and array is not None else array
            for place, array in enumerate(operands)
        ]
        # A function of numbers that it is not defined for: nan, for one row as for many.
        with np.errstate(all="ignore"):
            return as_tuple(function(*arrays))

    try:
        together, parts = results(slice(None)), list(map(results, _PARTS))
    except GraphError:
        # It asks for rows that there are not.
        return ()
    for part, some in zip(_PARTS, parts, strict=True):
        for array, found in zip(together, some, strict=True):
            meant = np.asarray(array)[part] if np.shape(array)[:1] == (N_ROWS,) else None
            if (
                meant is None
                or np.shape(found) != meant.shape
                or not np.allclose(found, meant, equal_nan=True)
            ):
                return ()
    return together


def moves_within_rows(
    function: Callable[..., Any],
    parameters: Sequence[np.ndarray | None],
    shape: tuple[int, ...],
) -> bool:
    """Tell whether a row of the result has elements of the same row, or zeros, only.

    Two rows and three tell: a single one may be taken for an axis of size one.

    Parameters
    ----------
    function : callable
        Moves elements of its first argument, and writes zeros.
    parameters : sequence of ndarray or None
        Its other arguments.
    shape : tuple of int
        Of one row, whose first axis holds rows.
    """
    return all(
        _moves_within(function, parameters, (n_rows, *shape[1:])) for n_rows in (2, 3)
    )


def _moves_within(
    function: Callable[..., Any],
    parameters: Sequence[np.ndarray | None],
    shape: tuple[int, ...],
) -> bool:
    row_size = math.prod(shape[1:])
    # Zeros are what the function writes itself.
    places = np.arange(1, shape[0] * row_size + 1).reshape(shape)
    try:
        found = function(places, *parameters)
    except ValueError:
        # There is no such shape for so many rows.
        return False
    if found.shape[:1] != shape[:1]:
        return False
    rows = np.arange(shape[0]).reshape(-1, *[1] * (found.ndim - 1))
    return bool(((found == 0) | ((found - 1) // row_size == rows)).all())
