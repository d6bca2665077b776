"""Rows that a fitted model of another class knows to be like those of its fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.kernel_ridge import KernelRidge
from sklearn.naive_bayes import CategoricalNB

from fhe_estimators._state import N_ROWS
from fhe_estimators.conversion._scores import forest_of


def rows_known(estimator: Any) -> np.ndarray | None:
    """Return rows that stand for those of `fit`, (n_samples, n_features), or None.

    Of `KernelRidge` they are those of `fit`. Of `CategoricalNB` each feature is one of its
    categories, of trees it is between two of their thresholds: no other number makes a
    difference.
    """
    if isinstance(estimator, KernelRidge):
        fitted = estimator.X_fit_
        return None if not isinstance(fitted, np.ndarray) else fitted
    if isinstance(estimator, CategoricalNB):
        return _drawn([np.arange(count) for count in estimator.n_categories_])
    method = "predict_proba" if is_classifier(estimator) else "predict"
    forest = forest_of(estimator, method) if hasattr(estimator, method) else None
    if forest is None:
        return None
    feature = np.concatenate([tree.feature for tree in forest.trees])
    threshold = np.concatenate([tree.threshold for tree in forest.trees])
    inner = feature >= 0
    return _drawn(
        [
            _between(threshold[inner & (feature == column)])
            for column in range(estimator.n_features_in_)
        ]
    )


def _between(thresholds: np.ndarray) -> np.ndarray:
    """Return a number below, above and between all thresholds."""
    edges = np.unique(thresholds)
    if not len(edges):
        return np.zeros(1)
    width = max(np.ptp(edges), np.abs(edges).max(), 1.0)
    return np.concatenate(
        [[edges[0] - width], edges[:-1] + np.diff(edges) / 2, [edges[-1] + width]]
    )


def _drawn(values: list[np.ndarray]) -> np.ndarray:
    """Return rows with numbers drawn from those of each feature; always the same."""
    random = np.random.default_rng(0)
    return np.stack([random.choice(of, N_ROWS) for of in values], axis=1).astype(np.float64)
