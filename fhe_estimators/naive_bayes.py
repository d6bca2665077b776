"""Naive Bayes that predicts on encrypted data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import naive_bayes

from fhe_estimators._linear import LinearMixin
from fhe_estimators._readings import Labels, Reading
from fhe_estimators._state import N_ROWS
from fhe_estimators.base import FHE_CONSTRAINTS, FHEClassifierMixin, FHEMixin
from fhe_estimators.core.quantization import InputRange

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["BernoulliNB", "ComplementNB", "GaussianNB", "MultinomialNB"]

#: A feature adds at most ``2**(bits + _HEADROOM)`` to a score over its range. With less,
#: classes that differ in few features blur; with more, rounding errors of one feature drown
#: the others (measured on four data sets with 4 to 16 bits).
_HEADROOM = 2


class _NaiveBayesMixin(LinearMixin, FHEClassifierMixin):
    """The raw score, the joint log-likelihood, is linear in functions of single features.

    The client computes these functions before it encrypts.
    """

    _fhe_constraints = FHE_CONSTRAINTS
    _CLIPPING_CURE = FHEMixin._CLIPPING_CURE
    classes_: np.ndarray
    #: No parameter: beside the squares of numbers far away the others would vanish.
    range_margin = "auto"

    def _class_log_priors(self) -> np.ndarray:
        """Return the logarithm of the probability of each class (hook)."""
        raise NotImplementedError

    def _finite_log_priors(self) -> np.ndarray:
        """Return `_class_log_priors` with a very small number instead of -inf."""
        return np.maximum(self._class_log_priors(), np.log(np.finfo(float).tiny))

    def _check_X(self, X: Any) -> Any:
        """Return `X`: `_scores` validates it, and the circuit's prologue transforms it."""
        return X

    def _float_scores(self, X: Any) -> np.ndarray:
        return super()._joint_log_likelihood(super()._check_X(X))  # type: ignore[misc]

    def _joint_log_likelihood(self, X: Any) -> np.ndarray:
        scores = self._scores(X, self._float_scores)
        scores[:, np.isneginf(self._class_log_priors())] = -np.inf
        return scores

    def _readings(self) -> dict[str, list[Reading]]:
        impossible = np.where(np.isneginf(self._class_log_priors()), -np.inf, 0.0)
        labels = Labels("largest", labels=self.classes_)
        return {
            "predict": [Reading(shift=impossible, labels=labels)],
            "predict_proba": [Reading(shift=impossible, link="joint")],
        }

    def predict_joint_log_proba(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return the logarithm of the joint probability of the row and each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._in_mode("predict_joint_log_proba", fhe, X)


class GaussianNB(_NaiveBayesMixin, naive_bayes.GaussianNB):
    """Gaussian naive Bayes that predicts on encrypted data.

    In each class, features are independent normal variables.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` the client squares the features
    and encrypts them with their squares; the joint log-likelihood, linear in both, is
    computed on encrypted integers without a bootstrap, and the client decrypts it and takes
    labels and probabilities in clear.

    Parameters
    ----------
    priors : array-like of shape (n_classes,) or None, default=None
        Prior probabilities of the classes; None takes the frequencies in `y`.
    var_smoothing : float, default=1e-9
        Part of the largest variance of all features that is added to variances.
    n_bits : int or dict, default=8
        Bits of the encrypted inputs, from 1 to 16. Weights, which are clear, get 7 bits up
        to 8 and as many above. A dict ``{"op_inputs": ..., "op_weights": ...}`` sets both.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    class_count_ : ndarray of shape (n_classes,)
        Weight of the rows of each class.
    class_prior_ : ndarray of shape (n_classes,)
        Prior probability of each class.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    epsilon_ : float
        What was added to the variances.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    var_ : ndarray of shape (n_classes, n_features)
        Variance of each feature in each class.
    theta_ : ndarray of shape (n_classes, n_features)
        Mean of each feature in each class.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.naive_bayes.GaussianNB : The mirrored class.

    Notes
    -----
    A feature that hardly varies within a class adds so much to that class's score elsewhere
    that rounding would drown all other features. In the circuit no standard deviation is
    therefore below ``width / 2**((bits + 3) / 2)``, where ``width`` is the range of the
    feature over all classes and ``bits`` the smaller of the bits of inputs and of weights:
    1/32 of the range with 7 bits, 1/724 with 16. ``var_`` is scikit-learn's.

    Examples
    --------
    >>> from fhe_estimators import GaussianNB
    >>> X, y = [[0, 0], [1, 1], [5, 4], [6, 6], [0, 9], [1, 8]], [0, 0, 1, 1, 2, 2]
    >>> model = GaussianNB().fit(X, y)
    >>> model.predict([[1, 0], [6, 5], [1, 9]])
    array([0, 1, 2])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        priors=None,
        var_smoothing=1e-09,
        n_bits=8,
        p_error=2**-64,
    ) -> None:
        super().__init__(
            priors=priors,
            var_smoothing=var_smoothing,
        )
        self.n_bits = n_bits
        self.p_error = p_error

    def _class_log_priors(self) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(self.class_prior_, dtype=np.float64)

    def _state(self) -> list[Any]:
        return [self.theta_, self.var_, self.class_prior_, self.class_count_]

    def _rows_like_fitted(self) -> np.ndarray:
        """Return rows drawn from the fitted distributions, (n_samples, n_features)."""
        random = np.random.default_rng(0)
        share = self.class_count_ / self.class_count_.sum()
        drawn = random.choice(len(self.theta_), N_ROWS, p=share)
        rows = random.normal(self.theta_[drawn], np.sqrt(self.var_[drawn]))
        return np.clip(rows, self._input_range.low, self._input_range.high)

    def _variances(self, width: np.ndarray) -> np.ndarray:
        """Return the variances that the circuit works with, see the notes of the class.

        Over its range a feature adds up to ``width**2 / (2 * variance)`` to a score.
        """
        bits = self._bit_widths()
        most = 2.0 ** (min(bits.op_inputs, bits.op_weights) + _HEADROOM)
        variances = np.maximum(self.var_, width**2 / (2 * most))
        # Nothing varied, neither in a class nor in all of them.
        return np.where(variances > 0, variances, 1.0)

    def _to_onnx(self) -> ModelProto:
        """Export the scores as linear in ``z = (x - mean) / scale`` and ``z**2``.

        With `mean` and `scale` of all rows, and ``r = scale**2 / variance`` and
        ``d = (mean - theta) / scale`` of a class, the exponent of its density is
        ``(x - theta)**2 / variance = r (z + d)**2``. A feature whose range is one number,
        to which all are clipped, is a constant of the scores.
        """
        from fhe_estimators.core.frontends.torch import export_quadratic

        # scikit-learn fits in the precision of its data.
        theta = self.theta_.astype(np.float64)
        share = self.class_count_ / self.class_count_.sum()
        mean = share @ theta
        total = share @ (self.var_ + (theta - mean) ** 2)
        scale = np.sqrt(np.where(total > 0, total, 1.0))
        low, width = self._input_range.low, self._input_range.high - self._input_range.low
        varies = width > 0
        variances = self._variances(width)
        r, d = scale**2 / variances, (mean - theta) / scale
        coef = np.concatenate([-r * d * varies, -r / 2 * varies], axis=1)
        constant = np.where(varies, 0, (low - mean) / scale)
        offset = np.log(2 * np.pi * variances) + r * (constant + d) ** 2
        intercept = self._finite_log_priors() - offset.sum(axis=1) / 2
        return export_quadratic(mean, scale, coef, intercept, "softmax")


class BernoulliNB(_NaiveBayesMixin, naive_bayes.BernoulliNB):
    """Naive Bayes for binary features that predicts on encrypted data.

    In each class, features are independent truth values.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` the client compares the
    features with the threshold `binarize` and encrypts the results; the joint log-
    likelihood, linear in them, is computed on encrypted integers without a bootstrap, and
    the client decrypts it and takes labels and probabilities in clear.

    Parameters
    ----------
    alpha : float or array-like of shape (n_features,), default=1.0
        Additive smoothing: rows added to each class with the feature true, and as many with
        it false.
    force_alpha : bool, default=True
        Whether an `alpha` below 1e-10 is taken as it is, instead of 1e-10.
    binarize : float or None, default=0.0
        A feature is true above this threshold; None takes the features, zeros and ones, as
        they are.
    fit_prior : bool, default=True
        Whether to learn prior probabilities of the classes; False takes the same for all.
    class_prior : array-like of shape (n_classes,) or None, default=None
        Prior probabilities of the classes, instead of those of `fit_prior`.
    n_bits : int or dict, default=8
        Bits of the encrypted inputs, from 1 to 16. Weights, which are clear, get 7 bits up
        to 8 and as many above. A dict ``{"op_inputs": ..., "op_weights": ...}`` sets both.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    class_count_ : ndarray of shape (n_classes,)
        Weight of the rows of each class.
    class_log_prior_ : ndarray of shape (n_classes,)
        Logarithm of the prior probability of each class.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    feature_count_ : ndarray of shape (n_classes, n_features)
        Weight of the rows of each class in which a feature is true.
    feature_log_prob_ : ndarray of shape (n_classes, n_features)
        Logarithm of the probability that a feature is true, in each class.
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
    sklearn.naive_bayes.BernoulliNB : The mirrored class.

    Notes
    -----
    The result of a comparison is encrypted as one bit whatever `n_bits`, which then decides
    on the weights only; nothing but weights is rounded. With ``binarize=None`` inputs have
    `n_bits` bits as elsewhere, and 1 is enough for zeros and ones.

    Probabilities of 0 and 1, which `alpha` near zero leads to, count as 2e-16 from there.

    Examples
    --------
    >>> from fhe_estimators import BernoulliNB
    >>> X, y = [[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]], [0, 0, 1, 1]
    >>> model = BernoulliNB().fit(X, y)
    >>> model.predict([[1, 0, 0], [0, 1, 1]])
    array([0, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        alpha=1.0,
        force_alpha=True,
        binarize=0.0,
        fit_prior=True,
        class_prior=None,
        n_bits=8,
        p_error=2**-64,
    ) -> None:
        super().__init__(
            alpha=alpha,
            force_alpha=force_alpha,
            binarize=binarize,
            fit_prior=fit_prior,
            class_prior=class_prior,
        )
        self.n_bits = n_bits
        self.p_error = p_error

    def _class_log_priors(self) -> np.ndarray:
        return self.class_log_prior_

    def _state(self) -> list[Any]:
        return [self.feature_log_prob_, self.class_log_prior_, self.binarize]

    def _rows_like_fitted(self) -> np.ndarray:
        """Return rows in which each feature is at an end of its range: false, or true."""
        rows, known = super()._rows_like_fitted(), self._input_range
        return np.where(rows > (known.low + known.high) / 2, known.high, known.low)

    def _rows_known(self) -> np.ndarray:
        """Return rows of features that are false or true: there are no others."""
        true = np.random.default_rng(0).random((N_ROWS, self.n_features_in_)) < 0.5
        return true * 1.0 if self.binarize is None else self.binarize + true

    def _range_of(
        self, X: np.ndarray, n_bits: int, sample_weight: np.ndarray | None
    ) -> InputRange:
        """Return ranges with zero and one, for words that no row has had yet."""
        n_features = X.shape[1]
        binary = InputRange(np.zeros(n_features), np.ones(n_features))
        return super()._range_of(X, n_bits, sample_weight).union(binary)

    def _to_onnx(self) -> ModelProto:
        from fhe_estimators.core.frontends.torch import export_binary, export_linear

        smallest = np.finfo(float).eps
        true = np.fmax(self.feature_log_prob_, np.log(smallest))
        false = np.log(np.fmax(1 - np.exp(self.feature_log_prob_), smallest))
        coef = true - false
        intercept = self._finite_log_priors() + false.sum(axis=1)
        if self.binarize is None:
            return export_linear(coef, intercept, "softmax")
        return export_binary(self.binarize, coef, intercept, "softmax")


class _CountsMixin(_NaiveBayesMixin):
    """The raw score is linear in counts; no count is below zero."""

    class_log_prior_: np.ndarray
    feature_log_prob_: np.ndarray

    def _class_log_priors(self) -> np.ndarray:
        return self.class_log_prior_

    def _state(self) -> list[Any]:
        return [self.feature_log_prob_, self._class_log_priors()]

    def _range_of(
        self, X: np.ndarray, n_bits: int, sample_weight: np.ndarray | None
    ) -> InputRange:
        """Return ranges with zero, for rows without a word."""
        zero = np.zeros(X.shape[1])
        return super()._range_of(X, n_bits, sample_weight).union(InputRange(zero, zero))

    def _to_onnx(self) -> ModelProto:
        from fhe_estimators.core.frontends.torch import export_linear

        # A word that no row of a class has, without smoothing.
        coef = np.fmax(self.feature_log_prob_, np.log(np.finfo(float).eps))
        return export_linear(coef, self._finite_log_priors(), "softmax")


class MultinomialNB(_CountsMixin, naive_bayes.MultinomialNB):
    """Naive Bayes for counts that predicts on encrypted data.

    In each class, words are drawn independently of each other.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the joint
    log-likelihood, linear in them, is computed on encrypted integers without a bootstrap,
    and the client decrypts it and takes labels and probabilities in clear.

    Parameters
    ----------
    alpha : float or array-like of shape (n_features,), default=1.0
        Additive smoothing: counts added to each word in each class.
    force_alpha : bool, default=True
        Whether an `alpha` below 1e-10 is taken as it is, instead of 1e-10.
    fit_prior : bool, default=True
        Whether to learn prior probabilities of the classes; False takes the same for all.
    class_prior : array-like of shape (n_classes,) or None, default=None
        Prior probabilities of the classes, instead of those of `fit_prior`.
    n_bits : int or dict, default=8
        Bits of the encrypted inputs, from 1 to 16. Weights, which are clear, get 7 bits up
        to 8 and as many above. A dict ``{"op_inputs": ..., "op_weights": ...}`` sets both.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    class_count_ : ndarray of shape (n_classes,)
        Weight of the rows of each class.
    class_log_prior_ : ndarray of shape (n_classes,)
        Logarithm of the prior probability of each class.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    feature_count_ : ndarray of shape (n_classes, n_features)
        Count of each word in each class.
    feature_log_prob_ : ndarray of shape (n_classes, n_features)
        Logarithm of the probability of each word, in each class.
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
    sklearn.naive_bayes.MultinomialNB : The mirrored class.

    Notes
    -----
    Probabilities of 0, which `alpha` of zero leads to, count as 2e-16.

    Examples
    --------
    >>> from fhe_estimators import MultinomialNB
    >>> X, y = [[3, 0, 1], [2, 1, 0], [0, 4, 1], [1, 3, 2]], [0, 0, 1, 1]
    >>> MultinomialNB().fit(X, y).predict([[2, 0, 0], [0, 2, 1]])
    array([0, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        alpha=1.0,
        force_alpha=True,
        fit_prior=True,
        class_prior=None,
        n_bits=8,
        p_error=2**-64,
    ) -> None:
        super().__init__(
            alpha=alpha,
            force_alpha=force_alpha,
            fit_prior=fit_prior,
            class_prior=class_prior,
        )
        self.n_bits = n_bits
        self.p_error = p_error


class ComplementNB(_CountsMixin, naive_bayes.ComplementNB):
    """Naive Bayes for counts and rare classes that predicts on encrypted data.

    A class is told by how little a row is like the rows of all other classes.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, the joint
    log-likelihood, linear in them, is computed on encrypted integers without a bootstrap,
    and the client decrypts it and takes labels and probabilities in clear.

    Parameters
    ----------
    alpha : float or array-like of shape (n_features,), default=1.0
        Additive smoothing: counts added to each word in each class.
    force_alpha : bool, default=True
        Whether an `alpha` below 1e-10 is taken as it is, instead of 1e-10.
    fit_prior : bool, default=True
        Whether to learn prior probabilities of the classes; False takes the same for all.
    class_prior : array-like of shape (n_classes,) or None, default=None
        Prior probabilities of the classes, instead of those of `fit_prior`.
    norm : bool, default=False
        Whether weights are normalized once more.
    n_bits : int or dict, default=8
        Bits of the encrypted inputs, from 1 to 16. Weights, which are clear, get 7 bits up
        to 8 and as many above. A dict ``{"op_inputs": ..., "op_weights": ...}`` sets both.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    class_count_ : ndarray of shape (n_classes,)
        Weight of the rows of each class.
    class_log_prior_ : ndarray of shape (n_classes,)
        Logarithm of the prior probability of each class.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    feature_all_ : ndarray of shape (n_features,)
        Count of each word in all classes.
    feature_count_ : ndarray of shape (n_classes, n_features)
        Count of each word in each class.
    feature_log_prob_ : ndarray of shape (n_classes, n_features)
        Weight of each word in the score of each class.
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
    sklearn.naive_bayes.ComplementNB : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import ComplementNB
    >>> X, y = [[3, 0, 1], [2, 1, 0], [0, 4, 1], [1, 3, 2]], [0, 0, 1, 1]
    >>> ComplementNB().fit(X, y).predict([[2, 0, 0], [0, 2, 1]])
    array([0, 1])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        alpha=1.0,
        force_alpha=True,
        fit_prior=True,
        class_prior=None,
        norm=False,
        n_bits=8,
        p_error=2**-64,
    ) -> None:
        super().__init__(
            alpha=alpha,
            force_alpha=force_alpha,
            fit_prior=fit_prior,
            class_prior=class_prior,
            norm=norm,
        )
        self.n_bits = n_bits
        self.p_error = p_error

    def _class_log_priors(self) -> np.ndarray:
        """Return zeros: frequencies of classes play no part."""
        single = len(self.classes_) == 1
        return self.class_log_prior_ if single else np.zeros(len(self.classes_))
