"""Tables with categories: how their columns become the numbers that trees see.

The client does this before it encrypts, so it knows the labels of all categories.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._missing import is_pandas_na, is_scalar_nan
from sklearn.utils.validation import _check_feature_names

from fhe_estimators._columns import missing_refused, names_of
from fhe_estimators._fit import refuse_sparse

__all__ = [
    "Categories",
    "Table",
    "TableRows",
    "categorical_columns",
    "check_is_table",
    "is_category",
    "n_columns",
    "with_nan",
    "with_numbers",
]

#: How the names of types of categorical columns begin: of pandas, polars, and pyarrow.
_CATEGORICAL = ("category", "Categorical", "Enum", "dictionary")


def is_category(dtype: Any) -> bool:
    """Return whether a type of columns is categorical, whatever its categories are."""
    return str(dtype).startswith(_CATEGORICAL)


def categorical_columns(X: Any) -> list[int]:
    """Return the numbers of the columns of a data frame that are of a category type."""
    if not hasattr(X, "columns") or not hasattr(X, "dtypes"):
        return []
    return [column for column, dtype in enumerate(X.dtypes) if is_category(dtype)]


@dataclass(frozen=True, eq=False)
class Categories:
    """The labels of a column, and the numbers that they become, 0, 1, ...

    A missing label becomes nan.

    Parameters
    ----------
    labels : sequence of object
        The labels that are known, in the order of their numbers.
    unknown : {'missing', 'other', 'error'}, default='missing'
        What other labels are: missing, a category of their own, or an error.
    arrays_hold_codes : bool, default=False
        Whether numbers in arrays, which have no labels, are numbers of categories.
    truncates : bool, default=False
        Whether labels are numbers of which only the part in front of the point counts.
    as_texts : bool, default=False
        Whether labels are texts, as which numbers are written: 1, 1.0 and True as ``'1'``.
    """

    UNKNOWN: ClassVar[tuple[str, ...]] = ("missing", "other", "error")

    labels: Sequence[Any]
    unknown: str = "missing"
    arrays_hold_codes: bool = False
    truncates: bool = False
    as_texts: bool = False

    @property
    def n_codes(self) -> int:
        """How many numbers there are."""
        return len(self.labels) + (self.unknown == "other")

    @property
    def edges(self) -> np.ndarray:
        """The edges between the bins of the numbers, and that of missing labels."""
        return np.append(np.arange(self.n_codes - 1) + 0.5, np.inf)

    @property
    def representatives(self) -> np.ndarray:
        """What represents each bin."""
        return np.append(np.arange(float(max(1, self.n_codes))), np.nan)

    def numbers_of(self, raw: Sequence[int]) -> list[int]:
        """Return the numbers of categories that a model tells apart by their labels.

        They are numbers already where rows hold other labels.
        """
        if self.arrays_hold_codes:
            return [code for code in raw if code < len(self.labels)]
        known = {label: code for code, label in enumerate(self.labels)}
        return [known[label] for label in raw if label in known]

    def left_of(self, raw: Sequence[int]) -> list[int]:
        """Return all numbers but those of some categories; see `numbers_of`."""
        return sorted(set(range(self.n_codes)).difference(self.numbers_of(raw)))

    def codes(self, values: Sequence[Any], where: str) -> np.ndarray:
        """Return the numbers of labels, as float64.

        Raises
        ------
        ValueError
            If a label is not known, and `unknown` says so; `where` names its column.
        """
        known = {label: float(code) for code, label in enumerate(self.labels)}
        return self._looked_up(values, known, where)

    def codes_of_codes(self, values: Sequence[Any], where: str) -> np.ndarray:
        """Return numbers of categories, those of none as if they were unknown labels."""
        known = {code: float(code) for code in range(len(self.labels))}
        return self._looked_up(values, known, where, truncates=True)

    def texts(self, values: Sequence[Any]) -> list[str]:
        """Return labels as texts; those that are missing are left out."""
        return [_text(value) for value in values if not _is_missing(value)]

    def _looked_up(
        self,
        values: Sequence[Any],
        known: dict[Any, float],
        where: str,
        truncates: bool = False,
    ) -> np.ndarray:
        numbers: dict[Any, float] = {}
        found = np.empty(len(values))
        for place, value in enumerate(values):
            if value in known:
                found[place] = known[value]
                continue
            if _is_missing(value):
                found[place] = np.nan
                continue
            if value not in numbers:
                key = value
                if truncates or self.truncates:
                    key = _whole(value)
                if self.as_texts:
                    key = _text(value)
                numbers[value] = (
                    known[key] if key in known else self._of_unknown(value, where)
                )
            found[place] = numbers[value]
        return found

    def _of_unknown(self, value: Any, where: str) -> float:
        if self.unknown == "error":
            raise ValueError(
                f"{where} holds {value!r:.80}, a category that it did not hold when the "
                "model was fitted. Replace it by a known category, or by a missing value."
            )
        return float(len(self.labels)) if self.unknown == "other" else np.nan


def _whole(value: Any) -> Any:
    """Return a number without its fraction, something else unchanged."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return value


def _is_missing(value: Any) -> bool:
    return bool(is_scalar_nan(value) or value is None or is_pandas_na(value))


def _text(value: Any) -> str:
    """Return a label as text; whole numbers without a point."""
    if isinstance(value, bool):
        value = int(value)
    # There is one zero.
    return repr(value + 0.0).removesuffix(".0") if isinstance(value, float) else str(value)


@dataclass(frozen=True, eq=False)
class Table:
    """How the columns of a table become features of trees.

    Parameters
    ----------
    categories : mapping of int to Categories
        Of the columns that hold labels, by their number.
    order : sequence of int, optional
        The column that each feature comes from; their own order by default.
    """

    categories: Mapping[int, Categories]
    order: Sequence[int] | None = None

    def coded(self, X: Any, name: str) -> Any:
        """Return a table with numbers for labels, with the names of its columns.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_columns)
        name : str
            Of the estimator, for messages.

        Raises
        ------
        ValueError
            If a column holds what it cannot, or is of a kind that tells no labels.
        """
        if hasattr(X, "columns") and hasattr(X, "dtypes"):
            return self._coded_frame(X, name)
        array = np.asarray(X)
        if array.ndim != 2:
            return X
        coded = array.astype(object if array.dtype.kind in "OSU" else np.float64)
        for column, categories in self.categories.items():
            if column >= array.shape[1]:
                continue
            values = array[:, column].tolist()
            where = f"Column {column} of X, of {name},"
            if categories.arrays_hold_codes and not any(isinstance(v, str) for v in values):
                coded[:, column] = categories.codes_of_codes(values, where)
            else:
                coded[:, column] = categories.codes(values, where)
        return coded

    def _coded_frame(self, X: Any, name: str) -> Any:
        check_is_table(X, name)
        coded = X.copy(deep=False)
        for column, categories in self.categories.items():
            if column >= X.shape[1]:
                continue
            values = X.iloc[:, column]
            where = f"Column {X.columns[column]!r} of X, of {name},"
            numeric = getattr(values.dtype, "kind", "O") in "iufb"
            if numeric and categories.arrays_hold_codes:
                raise ValueError(
                    f"{where} is of {values.dtype}, but held categories when the model was "
                    "fitted: are these labels or numbers of them? Convert the column with "
                    ".astype('category')."
                )
            coded.isetitem(column, categories.codes(values.tolist(), where))
        return coded

    def as_features(self, array: np.ndarray) -> np.ndarray:
        """Return the columns of an array in the order of features."""
        return array if self.order is None else array[:, list(self.order)]

    def as_columns(self, array: np.ndarray) -> np.ndarray:
        """Return features in the order of columns."""
        return array if self.order is None else array[:, np.argsort(self.order)]

    def in_order(self, by_column: Sequence[Any]) -> list[Any]:
        """Return what is given for each column in the order of features."""
        order = range(len(by_column)) if self.order is None else self.order
        return [by_column[column] for column in order]


@dataclass(frozen=True, eq=False)
class TableRows:
    """How rows of a table become features of trees.

    Parameters
    ----------
    table : Table or None
        None if all columns hold numbers, in the order of features.
    missing : collection of int
        The features that have a bin for missing values.
    number : float or None
        A number that stands for a missing value, as nan does.
    """

    table: Table | None
    missing: Collection[int]
    number: float | None

    def features(
        self, estimator: Any, X: Any, validated: Callable[[Any], np.ndarray]
    ) -> np.ndarray:
        """Return rows as features: numbers, or nan.

        Parameters
        ----------
        estimator : BaseEstimator
            What knows the names of columns, and is named in errors.
        X : array-like of shape (n_samples, n_columns)
        validated : callable
            Returns a table of numbers as an array, or raises.

        Raises
        ------
        ValueError
            If a value is missing, or a label not known, where that cannot be.
        """
        if self.table is not None:
            refuse_sparse(X)
            _check_feature_names(estimator, X, reset=False)
            X = self.table.coded(X, type(estimator).__name__)
        array = with_nan(validated(X), self.number)
        if self.table is not None:
            array = self.table.as_features(array)
        self.refuse_missing(estimator, X, array)
        return array

    def refuse_missing(self, estimator: Any, X: Any, array: np.ndarray) -> None:
        """Raise if values are missing for which there is no bin.

        Raises
        ------
        ValueError
            With the names of the columns of `X`.
        """
        lacks = np.isnan(array).any(axis=0)
        lacks[list(self.missing)] = False
        if lacks.any():
            if self.table is not None:
                lacks = self.table.as_columns(lacks[np.newaxis])[0]
            raise missing_refused(estimator, names_of(X, lacks))


def with_nan(array: np.ndarray, number: float | None) -> np.ndarray:
    """Return an array with nan for a number that stands for a missing value."""
    if number is None:
        return array
    found: np.ndarray = np.where(array == array.dtype.type(number), np.nan, array)
    return found.astype(array.dtype, copy=False)


def n_columns(X: Any) -> int:
    """Return how many columns a table has."""
    shape: tuple[int, ...] = X.shape if hasattr(X, "iloc") else np.asarray(X).shape
    return shape[-1] if shape else 0


def check_is_table(X: Any, name: str) -> None:
    """Raise if a data frame with categories is not one of pandas."""
    if hasattr(X, "columns") and not hasattr(X, "iloc"):
        kind = f"{type(X).__module__.partition('.')[0]}.{type(X).__name__}"
        columns = [X.columns[column] for column in categorical_columns(X)]
        raise ValueError(
            f"{name} takes categories from data frames of pandas only; got a {kind} with "
            f"the categorical columns {columns!r:.200}. Use X.to_pandas()."
        )


def with_numbers(X: Any, array: np.ndarray, coded: np.ndarray) -> Any:
    """Return a table with other numbers in the columns that hold numbers.

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_columns)
    array : ndarray of float of shape (n_samples, n_columns)
    coded : ndarray of bool of shape (n_columns,)
        The columns that hold labels: they stay.
    """
    if hasattr(X, "iloc"):
        table = X.copy(deep=False)
        for column in np.flatnonzero(~coded).tolist():
            table.isetitem(column, array[:, column])
        return table
    given = np.asarray(X)
    found = array.astype(object) if given.dtype.kind in "OSU" else array.copy()
    found[:, coded] = given[:, coded]
    return found
