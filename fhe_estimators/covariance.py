"""Outliers by their distance to a normal distribution, on encrypted data."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import covariance

from fhe_estimators._outliers import FHEOutlierMixin
from fhe_estimators._quadratic import Forms, QuadraticMixin
from fhe_estimators._readings import Labels, Reading

__all__ = ["EllipticEnvelope"]


class EllipticEnvelope(QuadraticMixin, FHEOutlierMixin, covariance.EllipticEnvelope):
    """A robust normal distribution that finds outliers in encrypted data.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` the client multiplies the
    features with each other and encrypts them and their products; the squared distance,
    linear in both, is computed on encrypted integers without a bootstrap, and the client
    decrypts it and compares it with the threshold in clear.

    Parameters
    ----------
    store_precision : bool, default=True
        Whether the inverse of the covariance is kept.
    assume_centered : bool, default=False
        Whether the mean is taken as zero.
    support_fraction : float or None, default=None
        Part of the rows that the covariance is estimated from; None takes the fewest that
        do.
    contamination : float, default=0.1
        Fraction of outliers among the training rows, which sets the threshold of `predict`.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn.
    n_bits : int or dict, default=8
        Bits of the encrypted inputs, from 1 to 16. Weights, which are clear, get 7 bits up
        to 8 and as many above. A dict ``{"op_inputs": ..., "op_weights": ...}`` sets both.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    location_ : ndarray of shape (n_features,)
        Mean of the rows that are no outliers.
    covariance_ : ndarray of shape (n_features, n_features)
        Covariance of the rows that are no outliers.
    precision_ : ndarray of shape (n_features, n_features)
        Inverse of the covariance.
    support_ : ndarray of bool of shape (n_samples,)
        The rows that the covariance is estimated from.
    offset_ : float
        The score below which a row is an outlier.
    raw_location_ : ndarray of shape (n_features,)
        Mean before it was corrected.
    raw_covariance_ : ndarray of shape (n_features, n_features)
        Covariance before it was corrected.
    raw_support_ : ndarray of bool of shape (n_samples,)
        The rows that were used before.
    dist_ : ndarray of shape (n_samples,)
        Squared distances of the training rows.
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
    sklearn.covariance.EllipticEnvelope : The mirrored class.

    Notes
    -----
    With `n` features the client encrypts ``n * (n + 3) / 2`` numbers. Features that depend
    on each other closely make scores differences of large numbers, which take more bits.

    Examples
    --------
    >>> from fhe_estimators import EllipticEnvelope
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2], [2, 1], [9, -9]]
    >>> model = EllipticEnvelope(random_state=0, contamination=0.1).fit(X)
    >>> model.predict([[1, 1], [8, -8]])
    array([ 1, -1])
    """

    location_: np.ndarray
    offset_: float

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        store_precision=True,
        assume_centered=False,
        support_fraction=None,
        contamination=0.1,
        random_state=None,
        n_bits=8,
        p_error=2**-64,
    ) -> None:
        super().__init__(
            store_precision=store_precision,
            assume_centered=assume_centered,
            support_fraction=support_fraction,
            contamination=contamination,
            random_state=random_state,
        )
        self.n_bits = n_bits
        self.p_error = p_error

    def _forms(self) -> Forms:
        precision = self.get_precision()
        precision = precision + precision.T  # twice: a form is halved
        return Forms(self.location_[np.newaxis], precision[np.newaxis], np.zeros(1))

    def mahalanobis(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return squared Mahalanobis distances to the center.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        distances : ndarray of shape (n_samples,)
        """
        with self._mode(fhe):
            scores = self._scores(X, super().mahalanobis)
        return -scores[:, 0] if scores.ndim == 2 else scores

    def _readings(self) -> dict[str, list[Reading]]:
        offset = -float(self.offset_)
        labels = Labels("not_below", labels=np.array([-1, 1]))
        return {
            "decision_function": [Reading(offset=offset, form="vector")],
            "predict": [Reading(offset=offset, labels=labels)],
        }
