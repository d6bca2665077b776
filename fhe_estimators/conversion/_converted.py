"""Estimators that hold a fitted one of another class and predict as it does, encrypted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_outlier_detector, is_regressor
from sklearn.utils.metaestimators import available_if

from fhe_estimators._readings import Labels, Reading
from fhe_estimators.base import FHEClassifierMixin, FHERegressorMixin
from fhe_estimators.conversion._base import ConvertedMixin
from fhe_estimators.conversion._clear import (
    ClearConvertedClassifier,
    ClearConvertedOutlierDetector,
    ClearConvertedRegressor,
    has,
)

__all__ = ["ConvertedClassifier", "ConvertedOutlierDetector", "ConvertedRegressor"]


class ConvertedClassifier(ConvertedMixin, FHEClassifierMixin, ClearConvertedClassifier):
    """A classifier of another class that predicts on encrypted data.

    Of scikit-learn, for example one that combines others: what it computes becomes one
    circuit. Which methods there are, `predict_proba` or `decision_function`, follows from
    what that computes; `predict` is always there.

    Parameters
    ----------
    estimator : estimator
        What is fitted: it is cloned. Its parameters are nested: ``estimator__alpha``.
    n_bits : int or dict, default=8
        Bits of weights and results of tables, from 1 to 16; inputs have two more, up to 16.
        A dict ``{"op_inputs": ..., "op_weights": ...}`` sets results of tables and weights;
        it may have ``"model_inputs"`` and ``"model_outputs"``. Trees keep their thresholds.
    rounding : {'exact', 'approximate'} or None, default='exact'
        How sums are rounded in front of tables. ``"exact"`` gives the same integers in
        clear and encrypted. ``"approximate"`` is faster; a sum near the border between two
        multiples may go to either when encrypted.
    rounding_bits : int, dict or 'auto', default='auto'
        Bits that are kept of the sums: of all, or by layer (the names that
        ``quantized_module_.layers`` reports). ``"auto"`` takes as few of them, and of
        weights and results of tables, as give nearly what all bits give on the training
        rows.
    accumulator_range : {'calibrated', 'worst_case'}, default='calibrated'
        Which sums tables cover. ``"calibrated"``: those of the training rows with a margin
        of a quarter of their range on either side, which takes fewer bits or keeps more of
        them. Farther out tables wrap around, encrypted exactly as in clear, where a
        `WrapAroundWarning` counts such rows. ``"worst_case"``: all that there can be.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    estimator_ : estimator
        The fitted clone of `estimator`.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    Examples
    --------
    >>> from fhe_estimators import ConvertedClassifier
    >>> from sklearn.svm import SVC
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> ConvertedClassifier(SVC()).fit(X, y).predict(X)
    array([0, 0, 1, 1])
    """

    # Of this class; `make mirror` writes Parameters and Attributes.
    _mirrors = ClearConvertedClassifier
    _METHODS = ("predict_proba", "decision_function", "predict")
    _TAKEN = "classifier"
    _takes = staticmethod(is_classifier)

    classes_: np.ndarray

    def _readings_of(self, scores: Reading) -> dict[str, Reading]:
        one = self._n_columns == 1
        link = "rounded" if self._counts_votes else "none"
        labels = Labels("above" if one else "largest", labels=self.classes_)
        readings = {"predict": replace(scores, link=link, labels=labels)}
        if self._method != "predict":
            form = "vector" if one else "table"
            readings[self._method] = replace(scores, form=form)
        return readings

    @available_if(has("predict_proba"))
    def predict_proba(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._read("predict_proba", X, fhe)

    @available_if(has("predict_proba"))
    def predict_log_proba(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(self._read("predict_proba", X, fhe))

    @available_if(has("decision_function"))
    def decision_function(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return the raw scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, positive means ``classes_[1]``.
        """
        return self._read("decision_function", X, fhe)


class ConvertedRegressor(ConvertedMixin, FHERegressorMixin, ClearConvertedRegressor):
    """A regressor of another class that predicts on encrypted data.

    Of scikit-learn, for example one that combines others: what it computes becomes one
    circuit.

    Parameters
    ----------
    estimator : estimator
        What is fitted: it is cloned. Its parameters are nested: ``estimator__alpha``.
    n_bits : int or dict, default=8
        Bits of weights and results of tables, from 1 to 16; inputs have two more, up to 16.
        A dict ``{"op_inputs": ..., "op_weights": ...}`` sets results of tables and weights;
        it may have ``"model_inputs"`` and ``"model_outputs"``. Trees keep their thresholds.
    rounding : {'exact', 'approximate'} or None, default='exact'
        How sums are rounded in front of tables. ``"exact"`` gives the same integers in
        clear and encrypted. ``"approximate"`` is faster; a sum near the border between two
        multiples may go to either when encrypted.
    rounding_bits : int, dict or 'auto', default='auto'
        Bits that are kept of the sums: of all, or by layer (the names that
        ``quantized_module_.layers`` reports). ``"auto"`` takes as few of them, and of
        weights and results of tables, as give nearly what all bits give on the training
        rows.
    accumulator_range : {'calibrated', 'worst_case'}, default='calibrated'
        Which sums tables cover. ``"calibrated"``: those of the training rows with a margin
        of a quarter of their range on either side, which takes fewer bits or keeps more of
        them. Farther out tables wrap around, encrypted exactly as in clear, where a
        `WrapAroundWarning` counts such rows. ``"worst_case"``: all that there can be.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone of `estimator`.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    Examples
    --------
    >>> from fhe_estimators import ConvertedRegressor
    >>> from sklearn.linear_model import TheilSenRegressor
    >>> X, y = [[0], [1], [2], [3]], [1, 3, 5, 7]
    >>> ConvertedRegressor(TheilSenRegressor()).fit(X, y).predict([[1]]).round(1)
    array([3.])
    """

    # Of this class; `make mirror` writes Parameters and Attributes.
    _mirrors = ClearConvertedRegressor
    _TAKEN = "regressor"
    _takes = staticmethod(is_regressor)

    def _readings_of(self, scores: Reading) -> dict[str, Reading]:
        return {"predict": replace(scores, form="vector" if self._flat else "table")}


class ConvertedOutlierDetector(ConvertedMixin, ClearConvertedOutlierDetector):
    """An outlier detector of another class that predicts on encrypted data.

    What it computes becomes one circuit.

    Parameters
    ----------
    estimator : estimator
        What is fitted: it is cloned. Its parameters are nested: ``estimator__alpha``.
    n_bits : int or dict, default=8
        Bits of weights and results of tables, from 1 to 16; inputs have two more, up to 16.
        A dict ``{"op_inputs": ..., "op_weights": ...}`` sets results of tables and weights;
        it may have ``"model_inputs"`` and ``"model_outputs"``. Trees keep their thresholds.
    rounding : {'exact', 'approximate'} or None, default='exact'
        How sums are rounded in front of tables. ``"exact"`` gives the same integers in
        clear and encrypted. ``"approximate"`` is faster; a sum near the border between two
        multiples may go to either when encrypted.
    rounding_bits : int, dict or 'auto', default='auto'
        Bits that are kept of the sums: of all, or by layer (the names that
        ``quantized_module_.layers`` reports). ``"auto"`` takes as few of them, and of
        weights and results of tables, as give nearly what all bits give on the training
        rows.
    accumulator_range : {'calibrated', 'worst_case'}, default='calibrated'
        Which sums tables cover. ``"calibrated"``: those of the training rows with a margin
        of a quarter of their range on either side, which takes fewer bits or keeps more of
        them. Farther out tables wrap around, encrypted exactly as in clear, where a
        `WrapAroundWarning` counts such rows. ``"worst_case"``: all that there can be.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone of `estimator`.
    n_features_in_ : int
        Number of features.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    Examples
    --------
    >>> from fhe_estimators import ConvertedOutlierDetector
    >>> from sklearn.svm import OneClassSVM
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1], [9, 9]]
    >>> ConvertedOutlierDetector(OneClassSVM(nu=0.3)).fit(X).predict([[0.5, 0.5]])
    array([1])
    """

    # Of this class; `make mirror` writes Parameters and Attributes.
    _mirrors = ClearConvertedOutlierDetector
    _METHODS = ("decision_function",)
    _TAKEN = "outlier detector"
    _takes = staticmethod(is_outlier_detector)

    def _readings_of(self, scores: Reading) -> dict[str, Reading]:
        labels = Labels("not_below", labels=np.array([-1, 1]))
        return {
            "decision_function": replace(scores, form="vector"),
            "predict": replace(scores, labels=labels),
        }

    def decision_function(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return the raw scores.

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
        return self._read("decision_function", X, fhe)

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
        return self._read("decision_function", X, fhe) + self.offset_

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
        return self.fit(X, y, **fit_params).predict(X, fhe=fhe)
