"""Estimators that hold another one and predict as it does, in clear."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    OutlierMixin,
    RegressorMixin,
    clone,
)
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data


def has(method: str) -> Any:
    """Return a condition for `available_if`: whether scores are of a method."""

    def check(self: Any) -> bool:
        fitted = getattr(self, "_method", None)
        if fitted is None:
            return hasattr(self.estimator, method)
        return bool(fitted == method)

    return check


class ClearConverted(BaseEstimator):
    """Holds an estimator, and predicts as it does, in clear."""

    _parameter_constraints: dict[str, list[Any]] = {
        "estimator": [HasMethods(["fit", "predict"])],
    }

    def __init__(
        self,
        estimator,
        *,
        n_bits=8,
        rounding="exact",
        rounding_bits="auto",
        accumulator_range="calibrated",
        p_error=2**-64,
    ):
        self.estimator = estimator
        self.n_bits = n_bits
        self.rounding = rounding
        self.rounding_bits = rounding_bits
        self.accumulator_range = accumulator_range
        self.p_error = p_error

    def fit(self, X, y=None, **fit_params):
        """Fit a clone of `estimator`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), optional
            An outlier detector takes none.
        **fit_params : dict
            Passed to the `fit` of the estimator.

        Returns
        -------
        self : object
        """
        self._validate_params()
        if y is None:
            X = validate_data(self, X, dtype=np.float64)
        else:
            X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True)
        self.estimator_ = clone(self.estimator).fit(X, y, **fit_params)
        self._take_over()
        return self

    def _take_over(self) -> None:
        """Take over what the fitted estimator knows of targets."""

    def predict(self, X):
        """Return what the fitted estimator predicts."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self.estimator_.predict(X)


class ClearConvertedClassifier(ClassifierMixin, ClearConverted):
    """Holds a classifier, in clear."""

    def _take_over(self) -> None:
        self.classes_ = self.estimator_.classes_

    @available_if(has("predict_proba"))
    def predict_proba(self, X):
        """Return the probabilities of the fitted estimator."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self.estimator_.predict_proba(X)

    @available_if(has("decision_function"))
    def decision_function(self, X):
        """Return the scores of the fitted estimator."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self.estimator_.decision_function(X)


class ClearConvertedRegressor(RegressorMixin, ClearConverted):
    """Holds a regressor, in clear."""


class ClearConvertedOutlierDetector(OutlierMixin, ClearConverted):
    """Holds an outlier detector, in clear."""

    @property
    def offset_(self):
        """The score below which a row is an outlier."""
        check_is_fitted(self)
        return self.estimator_.offset_

    def score_samples(self, X):
        """Return how little of an outlier each row is: low for outliers."""
        return self.decision_function(X) + self.offset_

    def decision_function(self, X):
        """Return the scores of the fitted estimator: negative for outliers."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        return self.estimator_.decision_function(X)
