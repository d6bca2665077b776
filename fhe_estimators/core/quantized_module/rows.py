"""The rows that a model is called with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Value
from fhe_estimators.core.validation import as_numbers


def check_rows(inputs: Sequence[Any], values: Sequence[Value]) -> list[np.ndarray]:
    """Return the rows of each input as an array of numbers.

    Parameters
    ----------
    inputs : sequence of array-like or torch.Tensor of shape (n_samples, ...)
    values : sequence of Value
        Of the inputs; sizes that are None, or the whole shape, may be any.

    Raises
    ------
    TypeError
        If there are more or fewer arrays than inputs.
    ValueError
        If there is no row, or something is no array of numbers of the shape of its input.
    """
    if len(inputs) != len(values):
        names = ", ".join(value.name for value in values)
        raise TypeError(
            f"The model takes rows of {len(values)} inputs ({names}); got {len(inputs)}."
        )
    arrays = [_checked(rows, value) for rows, value in zip(inputs, values, strict=True)]
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(f"All inputs must have the same number of rows; got {lengths}.")
    if not lengths[0]:
        # In the words of scikit-learn.
        raise ValueError(
            f"Found array with 0 sample(s) (shape={arrays[0].shape}) while a minimum of 1 "
            "is required."
        )
    return arrays


def _checked(rows: Any, value: Value) -> np.ndarray:
    array = as_numbers(rows, f"The input {value.name!r}")
    sizes = None if value.shape is None else value.shape[1:]
    fits = array.ndim > 0 and (
        sizes is None
        or (
            array.ndim == 1 + len(sizes)
            and all(
                size in (None, given)
                for size, given in zip(sizes, array.shape[1:], strict=True)
            )
        )
    )
    if not fits:
        wanted = "(n_samples, ...)" if sizes is None else str(("n_samples", *sizes))
        raise ValueError(
            f"The input {value.name!r} must have the shape {wanted}; got an array of shape "
            f"{array.shape}. A single row is rows[np.newaxis]."
        )
    return array
