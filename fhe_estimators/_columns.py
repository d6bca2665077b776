"""Tables whose columns are not all numbers: which columns, and what to do about them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils._missing import is_pandas_na, is_scalar_nan
from sklearn.utils._set_output import _get_adapter_from_container
from sklearn.utils.validation import _get_feature_names

__all__ = [
    "categories_refused",
    "columns_with_missing",
    "explain_columns",
    "in_container_of",
    "missing_refused",
    "names_of",
    "with_underscores",
]

#: How scikit-learn and Python say that there is a missing value, and text, among rows.
_MISSING = re.compile(r"Input (X )?contains NaN|'NAType'")
_TEXT = re.compile(r"could not convert string to float|arrays of bytes/strings")
#: How our own error about missing values ends, which need not be explained.
_SAID = "())."
#: Columns that an error lists.
_MOST_NAMES = 10


def in_container_of(X: Any, array: np.ndarray) -> Any:
    """Return an array of rows like those of `X`, with the names of its features."""
    names = _get_feature_names(X)
    if names is None:
        return array
    adapter = _get_adapter_from_container(X)
    return adapter.create_container(array, X, columns=names)


def with_underscores(X: Any) -> Any:
    """Return rows with names of columns as LightGBM keeps them: without spaces."""
    names = _get_feature_names(X)
    if names is None or not any(" " in name for name in names):
        return X
    columns = [name.replace(" ", "_") for name in names]
    adapter = _get_adapter_from_container(X)
    return adapter.create_container(X, X, columns=columns, inplace=False)


def categories_refused(estimator: Any, columns: Sequence[Any]) -> ValueError:
    """Return the error that says that an estimator does not take categorical columns."""
    name = type(estimator).__name__
    return ValueError(
        f"{name} compares encrypted numbers, not categories: {_listed(columns)} "
        "categorical. Encode categories as numbers, for example in a pipeline with "
        "OneHotEncoder or OrdinalEncoder; if they are numbers, convert the columns to "
        "float and name no categorical features."
    )


def missing_refused(estimator: Any, columns: Sequence[Any]) -> ValueError:
    """Return the error that says that a model has no bins for missing values."""
    name = type(estimator).__name__
    return ValueError(
        f"Input X contains NaN: {_listed(columns)} incomplete. {name} knows rows "
        "without missing values there, and has no bin for them: fit it on rows that have "
        "some, or pass some as X to from_sklearn_model, or fill them in, for example with "
        f"make_pipeline(SimpleImputer(), {name}{_SAID}"
    )


def names_of(X: Any, chosen: np.ndarray) -> list[Any]:
    """Return names of the chosen columns, or their numbers if they have no names."""
    names = _get_feature_names(X)
    found: list[Any] = (np.arange(len(chosen)) if names is None else names)[chosen].tolist()
    return found


@contextmanager
def explain_columns(estimator: Any, X: Any) -> Iterator[None]:
    """Let errors about missing values and text name the columns and the cure."""
    try:
        yield
    except (TypeError, ValueError) as error:
        message = _explanation(estimator, X, str(error))
        if message is None:
            raise
        raise ValueError(message) from None


def _explanation(estimator: Any, X: Any, error: str) -> str | None:
    name = type(estimator).__name__
    if error.endswith(_SAID):
        return None
    if _MISSING.search(error):
        columns = columns_with_missing(X)
        if columns:
            if getattr(estimator, "_takes_missing", False):
                if "NAType" in error:
                    return (
                        f"Input X contains NaN: {_listed(columns)} incomplete, and of "
                        f"objects, for which {name} has no number: convert with "
                        "X.astype(float), or to a nullable type of pandas."
                    )
                return str(missing_refused(estimator, columns))
            return (
                f"Input X contains NaN: {_listed(columns)} incomplete. {name} encrypts "
                "numbers, and has none for a missing value: fill them in, for example with "
                f"make_pipeline(SimpleImputer(), {name}()), or drop the rows."
            )
    if _TEXT.search(error):
        columns = [column for column, values in _columns(X) if _has_text(values)]
        if columns:
            return (
                f"could not convert string to float: {_listed(columns)} text. {name} "
                "encrypts numbers: encode text, for example in a pipeline with "
                "OneHotEncoder or OrdinalEncoder, or drop the columns."
            )
    return None


def columns_with_missing(X: Any) -> list[Any]:
    """Return names of columns that lack values, or their numbers without names."""
    return [column for column, values in _columns(X) if _any_missing(values)]


def _columns(X: Any) -> Iterator[tuple[Any, np.ndarray]]:
    """Yield the name (or the number, without names) and the values of each column."""
    if hasattr(X, "columns"):
        yield from ((column, np.asarray(X[column])) for column in X.columns)
        return
    array = np.asarray(X)
    if array.ndim == 2:
        yield from enumerate(array.T)


def _any_missing(values: np.ndarray) -> bool:
    if values.dtype.kind != "O":
        return values.dtype.kind in "fcmM" and bool(np.isnan(values).any())
    return any(
        value is None or is_pandas_na(value) or is_scalar_nan(value)
        for value in values.tolist()
    )


def _has_text(values: np.ndarray) -> bool:
    if values.dtype.kind not in "OSU":
        return False
    return any(isinstance(v, str | bytes) and not _is_number(v) for v in values.tolist())


def _is_number(text: str | bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _listed(columns: Sequence[Any]) -> str:
    """Return names as the start of a sentence: ``"columns 'a', 'b' are"``."""
    if len(columns) == 1:
        return f"column {columns[0]!r} is"
    names = ", ".join(map(repr, columns[:_MOST_NAMES]))
    more = f" and {len(columns) - _MOST_NAMES} more" if len(columns) > _MOST_NAMES else ""
    return f"columns {names}{more} are"
