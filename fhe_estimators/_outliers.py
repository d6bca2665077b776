"""What outlier detectors share that predict on encrypted data."""

from __future__ import annotations

from typing import Any

import numpy as np

from fhe_estimators.base import FHEMixin

__all__ = ["FHEOutlierMixin"]


class FHEOutlierMixin(FHEMixin):
    """An outlier detector that predicts on encrypted data."""

    def decision_function(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return the scores less the one from which on a row is no outlier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Negative for outliers.
        """
        return self._in_mode("decision_function", fhe, X)

    def score_samples(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return how little of an outlier each row is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Low for outliers.
        """
        return self._in_mode("score_samples", fhe, X)

    def fit_predict(
        self, X: Any, y: Any = None, *, fhe: str | None = None, **fit_params: Any
    ) -> np.ndarray:
        """Fit, then predict the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : object, optional
            Not used.
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.
        **fit_params : dict
            Passed to `fit`.

        Returns
        -------
        is_inlier : ndarray of shape (n_samples,)
            -1 for outliers, 1 for others.
        """
        return self._in_mode("fit_predict", fhe, X, y, **fit_params)
