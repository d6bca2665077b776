"""What the checks fit, compare with and expect."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier, is_outlier_detector
from sklearn.datasets import make_blobs, make_regression
from sklearn.utils import get_tags

__all__ = [
    "data_for",
    "far_out",
    "fitted",
    "methods_of",
    "most_bits",
    "raises",
]


def data_for(estimator: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return 60 rows of 4 features in different units, and a target."""
    tags = get_tags(estimator)
    if is_classifier(estimator):
        X, y = make_blobs(60, n_features=4, centers=3, cluster_std=2, random_state=0)
    else:
        X, y = make_regression(60, n_features=4, noise=1, random_state=0)
        y = y / np.std(y)
        if tags.target_tags.positive_only:
            y = np.exp(y)
    if is_outlier_detector(estimator):
        y = np.where(np.arange(len(X)) % 7, 1, -1)
    X = X * [1.0, 0.1, 1.0, 5.0] + [0, 3, 0, -10]
    return X - X.min(axis=0) * tags.input_tags.positive_only, y


def fitted(estimator: Any, **parameters: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return a fitted clone with other parameters, and what it was fitted on."""
    X, y = data_for(estimator)
    model = clone(estimator).set_params(**parameters)
    if "random_state" in model.get_params():
        model.set_params(random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # solvers that did not converge
        model.fit(X, y)
    return model, X, y


def most_bits(estimator: Any) -> tuple[dict[str, Any], float]:
    """Return parameters with which an estimator is precise, and how much it is."""
    parameters = estimator.get_params()
    if "n_bits" not in parameters:
        # The integers are those of training.
        return {}, 1e-3
    if "rounding" in parameters:
        # Tables read whole sums, which are as wide as all bits together.
        return {"n_bits": 6, "rounding": None}, 0.1
    return {"n_bits": {"op_inputs": 16, "op_weights": 16}}, 1e-3


def methods_of(model: Any) -> list[str]:
    """Return the names of the prediction methods that a model has, the main one first.

    What does not predict transforms.
    """
    if not hasattr(model, "predict"):
        return ["transform"]
    names = (
        "predict",
        "decision_function",
        "score_samples",
        "predict_proba",
        "predict_log_proba",
    )
    return [name for name in names if hasattr(model, name)]


def far_out(estimator: Any, X: np.ndarray) -> np.ndarray:
    """Return rows inside, at and far beyond the range of `X`."""
    largest = min(1e100, float(np.finfo(estimator._feature_dtype).max))
    return np.concatenate(
        [X[:3], X[:2] * 1e3, -X[:2] * 1e9, np.full((1, X.shape[1]), largest)]
    )


def raises(error: type[Exception], words: Iterable[str], call: Callable[[], Any]) -> None:
    """Check that a call raises an error that contains all words."""
    try:
        call()
    except error as raised:
        missing = [word for word in words if word not in str(raised)]
        assert not missing, f"{missing} should be named in: {raised}"
    else:
        raise AssertionError(f"{error.__name__} was not raised")
