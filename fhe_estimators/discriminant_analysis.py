"""Discriminant analysis that predicts on encrypted data."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import discriminant_analysis

from fhe_estimators._linear import LogisticMixin
from fhe_estimators._quadratic import Forms, QuadraticMixin
from fhe_estimators._readings import Labels, Reading
from fhe_estimators.base import FHEClassifierMixin

__all__ = ["LinearDiscriminantAnalysis", "QuadraticDiscriminantAnalysis"]


class LinearDiscriminantAnalysis(
    LogisticMixin, discriminant_analysis.LinearDiscriminantAnalysis
):
    """Linear discriminant analysis that predicts on encrypted data.

    Classes as normal distributions of one covariance. `transform` stays in clear.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the raw
    score ``X @ coef_.T + intercept_`` is computed on encrypted integers without a
    bootstrap, and the client decrypts it and takes labels and probabilities (the logistic
    function for two classes, softmax for more) in clear.

    Parameters
    ----------
    solver : {'svd', 'lsqr', 'eigen'}, default='svd'
        Algorithm. ``'svd'`` needs no covariance matrix; the others allow `shrinkage`.
    shrinkage : 'auto', float or None, default=None
        How far, from 0 to 1, covariances are drawn to a diagonal matrix. ``'auto'``
        estimates it (Ledoit-Wolf).
    priors : array-like of shape (n_classes,) or None, default=None
        Prior probabilities of the classes; None takes the frequencies in `y`.
    n_components : int or None, default=None
        Number of dimensions that `transform` keeps; None keeps all.
    store_covariance : bool, default=False
        Whether ``'svd'`` also computes ``covariance_``; the others always do.
    tol : float, default=1e-4
        Singular values below it count as zero in ``'svd'``.
    covariance_estimator : estimator or None, default=None
        With ``fit`` and ``covariance_``, used instead of `shrinkage`.
    n_bits : int or dict, default=8
        Bits of the encrypted inputs, from 1 to 16. Weights, which are clear, get 7 bits up
        to 8 and as many above. A dict ``{"op_inputs": ..., "op_weights": ...}`` sets both.
    range_margin : 'auto' or float, default='auto'
        How far beyond the training rows a feature may lie before it is clipped, on either
        side, as a part of its range, up to 1000. The grid stays as fine: inputs get
        ``log2(1 + 2 * range_margin)`` bits more, rounded up. ``"auto"`` takes no more bits
        and chooses the margin with the least expected error for rows like those of
        training.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients of the features.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        What is added to the weighted sum.
    covariance_ : ndarray of shape (n_features, n_features)
        Covariance within classes.
    explained_variance_ratio_ : ndarray of shape (n_components,)
        Part of the variance that each dimension of `transform` explains.
    means_ : ndarray of shape (n_classes, n_features)
        Mean row of each class.
    priors_ : ndarray of shape (n_classes,)
        Prior probability of each class.
    scalings_ : ndarray of shape (rank, n_classes - 1)
        Axes that `transform` projects on.
    xbar_ : ndarray of shape (n_features,)
        Mean of all rows.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import LinearDiscriminantAnalysis
    >>> X = [[0, 0], [1, 0], [0, 1], [3, 3], [4, 3], [3, 4]]
    >>> model = LinearDiscriminantAnalysis().fit(X, [0, 0, 0, 1, 1, 1])
    >>> model.predict(X)
    array([0, 0, 0, 1, 1, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        solver="svd",
        shrinkage=None,
        priors=None,
        n_components=None,
        store_covariance=False,
        tol=0.0001,
        covariance_estimator=None,
        *,
        n_bits=8,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            solver=solver,
            shrinkage=shrinkage,
            priors=priors,
            n_components=n_components,
            store_covariance=store_covariance,
            tol=tol,
            covariance_estimator=covariance_estimator,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error


class QuadraticDiscriminantAnalysis(
    QuadraticMixin, FHEClassifierMixin, discriminant_analysis.QuadraticDiscriminantAnalysis
):
    """Quadratic discriminant analysis that predicts on encrypted data.

    Classes as normal distributions, each of a covariance of its own.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` the client multiplies the
    features with each other and encrypts them and their products; the scores, linear in
    both, are computed on encrypted integers without a bootstrap, and the client decrypts
    them and takes labels and probabilities in clear.

    Parameters
    ----------
    solver : {'svd', 'eigen'}, default='svd'
        Algorithm. ``'eigen'`` allows `shrinkage`.
    shrinkage : 'auto', float or None, default=None
        How far, from 0 to 1, covariances are drawn to a diagonal matrix. ``'auto'``
        estimates it (Ledoit-Wolf).
    priors : array-like of shape (n_classes,) or None, default=None
        Prior probabilities of the classes; None takes the frequencies in `y`.
    reg_param : float, default=0.0
        How far, from 0 to 1, variances are drawn to one.
    store_covariance : bool, default=False
        Whether covariances are kept.
    tol : float, default=1e-4
        Tolerance at which the solver stops.
    covariance_estimator : estimator or None, default=None
        With ``fit`` and ``covariance_``, used instead of `shrinkage`.
    n_bits : int or dict, default=8
        Bits of the encrypted inputs, from 1 to 16. Weights, which are clear, get 7 bits up
        to 8 and as many above. A dict ``{"op_inputs": ..., "op_weights": ...}`` sets both.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    covariance_ : list of ndarray
        Covariance of each class, with `store_covariance`.
    means_ : ndarray of shape (n_classes, n_features)
        Mean row of each class.
    priors_ : ndarray of shape (n_classes,)
        Prior probability of each class.
    rotations_ : list of ndarray of shape (n_features, n_k)
        Axes of each class.
    scalings_ : list of ndarray of shape (n_k,)
        Variances along them.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis : The mirrored class.

    Notes
    -----
    With `n` features the client encrypts ``n * (n + 3) / 2`` numbers. Features that depend
    on each other closely make scores differences of large numbers, which take more bits.

    Examples
    --------
    >>> from fhe_estimators import QuadraticDiscriminantAnalysis
    >>> X = [[0, 0], [1, 0], [0, 1], [1, 1], [5, 5], [4, 9], [6, 1], [5, 6]]
    >>> model = QuadraticDiscriminantAnalysis().fit(X, [0, 0, 0, 0, 1, 1, 1, 1])
    >>> model.predict([[0, 0.5], [5, 5]])
    array([0, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        solver="svd",
        shrinkage=None,
        priors=None,
        reg_param=0.0,
        store_covariance=False,
        tol=0.0001,
        covariance_estimator=None,
        n_bits=8,
        p_error=2**-64,
    ) -> None:
        super().__init__(
            solver=solver,
            shrinkage=shrinkage,
            priors=priors,
            reg_param=reg_param,
            store_covariance=store_covariance,
            tol=tol,
            covariance_estimator=covariance_estimator,
        )
        self.n_bits = n_bits
        self.p_error = p_error

    def _forms(self) -> Forms:
        precisions = [
            (rotation / scaling) @ rotation.T
            for rotation, scaling in zip(self.rotations_, self.scalings_, strict=True)
        ]
        sizes = np.array([np.log(scaling).sum() for scaling in self.scalings_])
        with np.errstate(divide="ignore"):
            priors = np.log(self.priors_)
        smallest = np.log(np.finfo(float).tiny)
        constants = np.maximum(priors, smallest) - sizes / 2
        return Forms(np.asarray(self.means_), np.array(precisions), constants)

    def _decision_function(self, X: Any) -> np.ndarray:
        return self._scores(X, super()._decision_function)

    def _readings(self) -> dict[str, list[Reading]]:
        decision = Reading()
        if len(self.classes_) == 2:
            decision = Reading(link="difference", form="vector")
        return {
            "decision_function": [decision],
            "predict": [Reading(labels=Labels("largest", labels=self.classes_))],
            "predict_proba": [Reading(link="softmax")],
        }
