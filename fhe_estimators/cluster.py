"""The nearest of some centers on encrypted data."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import cluster
from sklearn.utils.validation import _check_sample_weight

from fhe_estimators._linear import LinearMixin
from fhe_estimators._readings import Beside, Labels, Reading

__all__ = ["KMeans", "MiniBatchKMeans"]


class _CentersMixin(LinearMixin):
    """The raw score of a center is ``2 c x - |c|**2``, both measured from their mean.

    It is less than the negative squared distance to the center by ``|x|**2``, which the
    client knows and all centers share.
    """

    cluster_centers_: np.ndarray

    def _origin(self) -> np.ndarray:
        origin: np.ndarray = self.cluster_centers_.mean(axis=0, dtype=np.float64)
        return origin

    def _linear_map(self) -> tuple[np.ndarray, np.ndarray, str]:
        origin = self._origin()
        centred = self.cluster_centers_ - origin
        coef = 2 * centred
        return coef, -(centred**2).sum(axis=1) - coef @ origin, "identity"

    def _term_of_rows(self) -> Beside:
        return Beside(self._origin(), np.ones(len(self._origin())))

    def _squared_distances(self, X: Any) -> np.ndarray:
        """Return squared distances, (n_samples, n_clusters), none below zero."""
        scores = self._scores(X, lambda rows: rows)
        beside = self._term_of_rows()(self._validated(X))
        return np.maximum(beside[:, np.newaxis] - scores, 0)

    def _readings(self) -> dict[str, list[Reading]]:
        places = np.arange(len(self.cluster_centers_), dtype=np.int32)
        return {"predict": [Reading(labels=Labels("largest", labels=places))]}

    def predict(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Predict the cluster of the nearest center.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            How distances are computed: with quantized integers in clear, with the
            cryptography simulated, or on encrypted rows. By default the mode of
            `config_context`, which is ``"disable"`` outside of one.

        Returns
        -------
        labels : ndarray of int32 of shape (n_samples,)
        """
        with self._mode(fhe):
            scores = self._scores(X, lambda rows: rows)
        return scores.argmax(axis=1).astype(np.int32)

    def _transform(self, X: Any) -> np.ndarray:
        return np.sqrt(self._squared_distances(X))

    def transform(self, X: Any, *, fhe: str | None = None) -> Any:
        """Return the distances to all centers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_clusters)
        """
        return self._in_mode("transform", fhe, X)

    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, fhe: str | None = None
    ) -> float:
        """Return the negative sum of squared distances to the nearest centers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : object, optional
            Not used.
        sample_weight : array-like of shape (n_samples,), optional
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        score : float
        """
        with self._mode(fhe):
            squares = self._squared_distances(X).min(axis=1)
        weights = _check_sample_weight(sample_weight, squares[:, np.newaxis])
        return -float(weights @ squares)


class KMeans(_CentersMixin, cluster.KMeans):
    """Clusters by the nearest center, predicted on encrypted data.

    Labels and distances of rows to come; those of training rows are found in clear.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, scores
    linear in the row that order the centers by distance are computed on encrypted integers
    without a bootstrap, and the client decrypts them and takes the nearest in clear.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    init : {'k-means++', 'random'}, callable or array-like of shape         (n_clusters, \
        n_features), default='k-means++'
        The first centers.
    n_init : 'auto' or int, default='auto'
        How often to start from other centers, of which the best are kept.
    max_iter : int, default=300
        Maximum number of iterations.
    tol : float, default=1e-4
        Tolerance at which the solver stops.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn.
    copy_x : bool, default=True
        Whether `fit` leaves the rows as they are.
    algorithm : {'lloyd', 'elkan'}, default='lloyd'
        How centers are moved. ``'elkan'`` may be faster and takes more memory.
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
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        The centers.
    labels_ : ndarray of shape (n_samples,)
        The clusters of the training rows.
    inertia_ : float
        Sum of squared distances of the training rows to the nearest centers.
    n_iter_ : int
        Number of iterations.
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
    sklearn.cluster.KMeans : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import KMeans
    >>> X = [[0, 0], [1, 0], [0, 2], [9, 9], [8, 9]]
    >>> model = KMeans(2, random_state=0).fit(X)
    >>> labels = model.predict([[0, 1], [9, 8]])
    >>> bool(labels[0] == model.labels_[0] and labels[1] == model.labels_[3])
    True
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        n_clusters=8,
        *,
        init="k-means++",
        n_init="auto",
        max_iter=300,
        tol=0.0001,
        verbose=0,
        random_state=None,
        copy_x=True,
        algorithm="lloyd",
        n_bits=12,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            n_clusters=n_clusters,
            init=init,
            n_init=n_init,
            max_iter=max_iter,
            tol=tol,
            verbose=verbose,
            random_state=random_state,
            copy_x=copy_x,
            algorithm=algorithm,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error


class MiniBatchKMeans(_CentersMixin, cluster.MiniBatchKMeans):
    """Clusters found in small batches, predicted on encrypted data.

    Labels and distances of rows to come; those of training rows are found in clear.

    Fitted by scikit-learn, in clear. With ``fhe="execute"`` rows are encrypted, scores
    linear in the row that order the centers by distance are computed on encrypted integers
    without a bootstrap, and the client decrypts them and takes the nearest in clear.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    init : {'k-means++', 'random'}, callable or array-like of shape         (n_clusters, \
        n_features), default='k-means++'
        The first centers.
    max_iter : int, default=100
        Maximum number of iterations.
    batch_size : int, default=1024
        Rows of a step.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    compute_labels : bool, default=True
        Whether `fit` finds the labels of all rows in the end.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and features that are drawn.
    tol : float, default=0.0
        Tolerance at which the solver stops.
    max_no_improvement : int or None, default=10
        Batches without an improvement after which to stop; None is for any number.
    init_size : int or None, default=None
        Rows that the first centers are chosen from; None is three times the batch.
    n_init : 'auto' or int, default='auto'
        How often to start from other centers, of which the best are kept.
    reassignment_ratio : float, default=0.01
        Centers of fewer rows than this part of the largest are moved elsewhere.
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
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        The centers.
    labels_ : ndarray of shape (n_samples,)
        The clusters of the training rows.
    inertia_ : float
        Sum of squared distances of the training rows to the nearest centers.
    n_iter_ : int
        Number of iterations.
    n_steps_ : int
        Number of batches.
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
    sklearn.cluster.MiniBatchKMeans : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import MiniBatchKMeans
    >>> X = [[0, 0], [1, 0], [0, 2], [9, 9], [8, 9]]
    >>> model = MiniBatchKMeans(2, random_state=0).fit(X)
    >>> labels = model.predict([[0, 1], [9, 8]])
    >>> bool(labels[0] == model.labels_[0] and labels[1] == model.labels_[3])
    True
    """

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        n_clusters=8,
        *,
        init="k-means++",
        max_iter=100,
        batch_size=1024,
        verbose=0,
        compute_labels=True,
        random_state=None,
        tol=0.0,
        max_no_improvement=10,
        init_size=None,
        n_init="auto",
        reassignment_ratio=0.01,
        n_bits=12,
        range_margin="auto",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            n_clusters=n_clusters,
            init=init,
            max_iter=max_iter,
            batch_size=batch_size,
            verbose=verbose,
            compute_labels=compute_labels,
            random_state=random_state,
            tol=tol,
            max_no_improvement=max_no_improvement,
            init_size=init_size,
            n_init=n_init,
            reassignment_ratio=reassignment_ratio,
        )
        self.n_bits = n_bits
        self.range_margin = range_margin
        self.p_error = p_error
