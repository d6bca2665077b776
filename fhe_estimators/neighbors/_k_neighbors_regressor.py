"""Regression by the nearest rows on encrypted data."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import neighbors

from fhe_estimators._readings import Reading
from fhe_estimators.base import FHERegressorMixin
from fhe_estimators.neighbors._nearest_rows import NearestRowsMixin

__all__ = ["KNeighborsRegressor"]


class KNeighborsRegressor(
    NearestRowsMixin, FHERegressorMixin, neighbors.KNeighborsRegressor
):
    """Regression by the nearest rows that predicts on encrypted data.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, scores
    linear in the row that order the rows of training by distance are computed on encrypted
    integers without a bootstrap, and the client decrypts them and takes the nearest in
    clear.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of neighbours.
    weights : {'uniform', 'distance'} or None, default='uniform'
        Whether neighbours count the same, or by the inverse of their distance; None is
        ``'uniform'``.
    algorithm : {'auto', 'ball_tree', 'kd_tree', 'brute'}, default='auto'
        How the parent finds neighbours in clear; it has no effect on encrypted rows.
    leaf_size : int, default=30
        Rows of a leaf of the trees of `algorithm`; it has no effect on encrypted rows.
    p : float, default=2
        The power of the distance ``'minkowski'``: 2, the euclidean one; others are refused.
    metric : {'minkowski', 'euclidean'}, default='minkowski'
        Distance. Others are not linear in the row, up to a term of all rows, and are
        refused.
    metric_params : None, default=None
        Of other distances, which are refused.
    n_jobs : int or None, default=None
        Number of threads that look for neighbours in clear; None is one.
    n_bits : int or dict, default=12
        Bits of the encrypted inputs, from 1 to 16. Weights, which are clear, get 7 bits up
        to 8 and as many above. A dict ``{"op_inputs": ..., "op_weights": ...}`` sets both.
    range_margin : 'auto' or float, default='auto'
        How far beyond the training rows a feature may lie before it is clipped, on either
        side, as a part of its range, up to 1000. The grid stays as fine: inputs get
        ``log2(1 + 2 * range_margin)`` bits more, rounded up. ``"auto"`` takes no more bits
        and chooses the margin with the least expected error for rows like those of
        training.
    reveal : {'distances'}, default='distances'
        What the client is given: its distance to every row of training.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    effective_metric_ : str
        The distance.
    effective_metric_params_ : dict
        Its parameters.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    n_samples_fit_ : int
        Number of training rows.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.neighbors.KNeighborsRegressor : The mirrored class.

    Notes
    -----
    **The client learns the distance of its row to every row of training**, and from as many
    answers as there are features these rows themselves, but not the server's weights of
    anything else. The server learns nothing of the client's row.

    The squared distance to a row ``r`` is ``|x|**2 - 2 r x + |r|**2``: linear in `x` up to
    a term that all share. No table is needed; time and bytes grow with the rows of
    training.

    Of distances that are the same the row that comes first counts.

    Examples
    --------
    >>> from fhe_estimators import KNeighborsRegressor
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [3, 4, 5, 6]
    >>> KNeighborsRegressor(2).fit(X, y).predict([[0.4, 0], [1, 4]])
    array([3.5, 5.5])
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        n_neighbors=5,
        *,
        weights="uniform",
        algorithm="auto",
        leaf_size=30,
        p=2,
        metric="minkowski",
        metric_params=None,
        n_jobs=None,
        n_bits=12,
        range_margin="auto",
        reveal="distances",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            n_neighbors=n_neighbors,
            weights=weights,
            algorithm=algorithm,
            leaf_size=leaf_size,
            p=p,
            metric=metric,
            metric_params=metric_params,
            n_jobs=n_jobs,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.reveal = reveal
        self.p_error = p_error

    def _said(self) -> np.ndarray:
        return np.asarray(self._y, np.float64).reshape(len(self._y), -1)

    def predict(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Predict the mean of the targets of the nearest rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            How distances are computed: with quantized integers in clear, with the
            cryptography simulated, or on encrypted rows. By default the mode of
            `config_context`, which is ``"disable"`` outside of one.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        with self._mode(fhe):
            means = self._means(X)
        return means[:, 0] if self._y.ndim == 1 else means

    def _readings(self) -> dict[str, list[Reading]]:
        return {
            "predict": [Reading(end=True, form="vector" if self._y.ndim == 1 else "table")]
        }
