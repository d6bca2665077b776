"""Data sets: those that scikit-learn brings along."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
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
