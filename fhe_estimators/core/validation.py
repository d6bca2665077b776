"""Checks of what comes from outside."""

from __future__ import annotations

import contextlib
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, validate_parameter_constraints


class _Probability(Interval):  # type: ignore[misc] # it is untyped
    """All of (0, 1) but numbers that the engine rounds to its ends, and aborts then."""

    def __init__(self) -> None:
        limits = np.finfo(np.float64)
        super().__init__(Real, limits.tiny, 1 - limits.eps, closed="both")

    def __contains__(self, value: Any) -> bool:
        return bool(self.left <= value <= self.right)

    def __str__(self) -> str:
        return f"a float in (0, 1), from {self.left:.1e} to 1 - {1 - self.right:.1e}"


#: The probability that a table, or a decrypted result, is wrong.
P_ERROR = _Probability()
#: The largest one with which decrypted results may be shown to others.
P_ERROR_OF_SHARED_RESULTS = 2.0**-128


def check_p_error(p_error: Any, caller: str) -> float:
    """Return `p_error` as a float.

    Parameters
    ----------
    p_error : float in (0, 1)
    caller : str
        Whose parameter it is.

    Raises
    ------
    sklearn.utils._param_validation.InvalidParameterError
        If it is no number, or not such a one; a ``ValueError`` and a ``TypeError``.
    """
    validate_parameter_constraints({"p_error": [P_ERROR]}, {"p_error": p_error}, caller)
    return float(p_error)


def as_numbers(values: Any, name: str) -> np.ndarray:
    """Return an array-like, or a tensor of torch, as an array of real numbers.

    Parameters
    ----------
    values : array-like or torch.Tensor
        Integers, truth values or floating point numbers.
    name : str
        For messages.

    Raises
    ------
    ValueError
        If it holds something else.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    array = np.asarray(values)
    if array.dtype == object:
        # Numbers of Python's own, or of several types.
        with contextlib.suppress(TypeError, ValueError):
            array = array.astype(np.float64)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must hold numbers; got {type(values).__name__} of {array.dtype}. "
            "Give an array of integers or floating point numbers."
        )
    return array


def check_finite(values: ArrayLike) -> np.ndarray:
    """Return `values` as floats; raise `ValueError` if any is nan or infinite."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError("There is no number to quantize: the array is empty.")
    with np.errstate(over="ignore", invalid="ignore"):
        # A sum is finite only if all summands are; it may overflow if they are.
        finite = np.isfinite(array.sum()) or np.isfinite(array).all()
    if not finite:
        raise ValueError(
            "Cannot quantize nan or infinity. Impute or drop such values first."
        )
    return array
