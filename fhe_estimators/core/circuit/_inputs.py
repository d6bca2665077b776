"""The integers that a graph computes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Graph
from fhe_estimators.core.validation import as_numbers


def check_integers(
    graph: Graph, inputs: Sequence[Any], rows: int | None = None
) -> tuple[np.ndarray, ...]:
    """Return the inputs of an integer graph as arrays; raise if they cannot be.

    Parameters
    ----------
    graph : Graph
    inputs : sequence of array-like of int of shape (n_rows, ...)
    rows : int, optional
        How many rows there must be.

    Returns
    -------
    arrays : tuple of ndarray of int64 of shape (n_rows, ...)

    Raises
    ------
    TypeError
        If there are more or fewer arrays than inputs.
    ValueError
        If something is no array of integers of the shape and range of its input.
    """
    if len(inputs) != len(graph.inputs):
        raise TypeError(f"The circuit takes {len(graph.inputs)} inputs; got {len(inputs)}.")
    arrays = []
    for value, given in zip(graph.inputs, inputs, strict=True):
        array = as_numbers(given, f"The input {value.name!r}")
        assert value.shape is not None
        if array.dtype.kind not in "iu" or array.shape[1:] != value.shape[1:]:
            expected = ("n_rows", *value.shape[1:])
            raise ValueError(
                f"The input {value.name!r} must be an array of integers of shape "
                f"{expected}; got {array.dtype} of shape {array.shape}. Use "
                "quantize_input."
            )
        if rows is not None and len(array) != rows:
            raise ValueError(f"Expected {rows} row; got {len(array)}.")
        if array.size and (array.min() < value.low or array.max() > value.high):
            raise ValueError(
                f"The input {value.name!r} must lie in [{value.low}, {value.high}]; "
                f"got [{array.min()}, {array.max()}]. Use quantize_input."
            )
        if value.runs and array.size and not _are_codes(array, value.runs):
            raise ValueError(
                f"The input {value.name!r} must hold thermometer codes, runs of "
                "integers that never decrease. Use quantize_input."
            )
        arrays.append(array.astype(np.int64))
    if len({len(array) for array in arrays}) > 1:
        raise ValueError(
            "All inputs must have the same number of rows; got "
            f"{', '.join(str(len(array)) for array in arrays)}."
        )
    return tuple(arrays)


def _are_codes(array: np.ndarray, runs: Sequence[int]) -> bool:
    """Tell whether no run of elements decreases."""
    falls = np.diff(array.reshape(len(array), -1).astype(np.int64), axis=1) < 0
    falls[:, np.cumsum(runs)[:-1] - 1] = False
    return not falls.any()
