"""The nearest centroid on encrypted data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn import neighbors
from sklearn.utils._param_validation import StrOptions

from fhe_estimators._linear import LINEAR_CONSTRAINTS, LinearMixin
from fhe_estimators._readings import Beside, Labels, Reading
from fhe_estimators.base import FHEClassifierMixin

__all__ = ["NearestCentroid"]


class NearestCentroid(LinearMixin, FHEClassifierMixin, neighbors.NearestCentroid):
    """Nearest-centroid classification that predicts on encrypted data.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, scores
    linear in the row that order the centroids by distance are computed on encrypted
    integers without a bootstrap, and the client decrypts them and takes the label in clear.

    Parameters
    ----------
    metric : {'euclidean'}, default='euclidean'
        Distance. Others are not linear in the row and are refused.
    shrink_threshold : float or None, default=None
        Standard errors by which centroids are drawn to the mean of all rows; a feature in
        which all get there plays no part.
    priors : {'uniform', 'empirical'} or array-like of shape (n_classes,), \
        default='uniform'
        Prior probabilities of the classes: all the same, the frequencies in `y`, or given.
    n_bits : int or dict, default=12
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
    centroids_ : ndarray of shape (n_classes, n_features)
        Mean row of each class.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    deviations_ : ndarray of shape (n_classes, n_features)
        Differences of the centroids, shrunk, to the mean of all rows.
    within_class_std_dev_ : ndarray of shape (n_features,)
        Standard deviation of each feature within classes.
    class_prior_ : ndarray of shape (n_classes,)
        Prior probability of each class.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.neighbors.NearestCentroid : The mirrored class.

    Notes
    -----
    The squared distance of a row ``x`` to a centroid ``c`` is linear in the row up to a
    term that all centroids share: ``|x - c|**2 = |x|**2 - 2 c x + |c|**2``, measured from
    the mean of the centroids. The circuit computes ``2 c x - |c|**2``; the shared term,
    where it is wanted at all, is the client's, who knows the row.

    Examples
    --------
    >>> from fhe_estimators import NearestCentroid
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> model = NearestCentroid().fit(X, y)
    >>> model.predict([[0, 0], [1, 4]])
    array([0, 1])
    """

    _parameter_constraints = {
        **neighbors.NearestCentroid._parameter_constraints,
        # The Manhattan distance is not linear in the row.
        "metric": [StrOptions({"euclidean"})],
        **LINEAR_CONSTRAINTS,
    }

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        metric="euclidean",
        *,
        shrink_threshold=None,
        priors="uniform",
        n_bits=12,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            metric=metric,
            shrink_threshold=shrink_threshold,
            priors=priors,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error

    def _unit(self) -> np.ndarray:
        """Return the divisor of each feature, (n_features,), for discriminant scores."""
        deviation = self.within_class_std_dev_
        return np.where(deviation != 0, deviation, 1.0)

    def _linear_map(self) -> tuple[np.ndarray, np.ndarray, str]:
        """Return the discriminant scores, then the (negative) distances, as linear maps.

        The parent predicts from plain distances if all classes are equally likely, and
        from discriminant scores, on scaled features, everywhere else: both are computed.
        """
        origin = self._origin()
        centred = self.centroids_ - origin
        scaled = centred / self._unit()
        coef = [2 * scaled / self._unit()]
        constant = [2 * np.log(self.class_prior_) - (scaled**2).sum(axis=1)]
        if self._equal_priors():
            # A common factor moves no label: of any magnitude, no square is infinite.
            largest = 2.0 ** np.frexp(np.abs(centred).max())[1]
            coef.append(2 * (centred / largest))
            constant.append(-(centred / largest * centred).sum(axis=1))
        weights = np.concatenate(coef)
        return weights, np.concatenate(constant) - weights @ origin, "identity"

    def _origin(self) -> np.ndarray:
        """Return the mean centroid, (n_features,), that distances are measured from."""
        origin: np.ndarray = self.centroids_.mean(axis=0, dtype=np.float64)
        return origin

    def _equal_priors(self) -> bool:
        return bool(np.isclose(self.class_prior_, 1 / len(self.classes_)).all())

    def _readings(self) -> dict[str, list[Reading]]:
        n_classes = len(self.classes_)
        n_outputs = n_classes * (1 + self._equal_priors())
        labels = Labels("largest", labels=self.classes_)
        scores = Reading(columns=(0, n_classes))
        decision = replace(scores, less_beside=True)
        if n_classes == 2:
            # The shared term cancels out, as it does in probabilities.
            decision = replace(scores, link="difference", form="vector")
        return {
            "decision_function": [decision],
            "predict": [Reading(columns=(n_outputs - n_classes, n_outputs), labels=labels)],
            "predict_proba": [replace(scores, link="softmax")],
        }

    def _decision_function(self, X: Any) -> np.ndarray:
        scores = self._scores(X, super()._decision_function)[:, : len(self.classes_)]
        return scores - self._term_of_rows()(self._validated(X))[:, np.newaxis]

    def _term_of_rows(self) -> Beside:
        return Beside(self._origin(), self._unit())

    def predict(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Predict the class of the nearest centroid.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            How distances are computed: with quantized integers in clear, with the
            cryptography simulated, or on encrypted rows. By default the mode of
            `config_context`, which is ``"disable"`` outside of one.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
        """
        with self._mode(fhe):
            scores = self._scores(X, super()._decision_function)
        return self.classes_[scores[:, -len(self.classes_) :].argmax(axis=1)]
