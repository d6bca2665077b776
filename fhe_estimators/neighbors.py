"""Nearest rows and centroids on encrypted data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import neighbors
from sklearn.utils._param_validation import StrOptions

from fhe_estimators._linear import LINEAR_CONSTRAINTS, LinearMixin
from fhe_estimators._readings import Beside, Labels, Reading
from fhe_estimators.base import FHEClassifierMixin, FHERegressorMixin

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["KNeighborsClassifier", "KNeighborsRegressor", "NearestCentroid"]


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


class _NearestRowsMixin(LinearMixin):
    """Squared distances to all rows of training are computed encrypted.

    The client is given them, and takes the nearest.
    """

    _fhe_constraints = {
        **LINEAR_CONSTRAINTS,
        "reveal": [StrOptions({"distances", "labels"})],
        # Others are not linear in the row, even up to a common term.
        "metric": [StrOptions({"minkowski", "euclidean"})],
        "metric_params": [None],
        "weights": [StrOptions({"uniform", "distance"}), None],
    }

    _fit_X: np.ndarray
    _y: np.ndarray
    n_neighbors: int
    weights: str | None
    metric: str
    p: float
    reveal: str

    def _check_fhe_parameters(self) -> None:
        super()._check_fhe_parameters()
        name = type(self).__name__
        if self.metric == "minkowski" and self.p != 2:
            raise ValueError(
                f"The parameter p={self.p!r} of {name} is no euclidean distance, the only "
                "one that is linear in the row up to a common term. Set p=2."
            )
        if self.reveal == "labels":
            raise NotImplementedError(
                f"The parameter reveal='labels' of {name} is not served: the distances to "
                "50 rows would be compared in more than 100 tables of 8 bits or more "
                "(docs/neighbors.md). Set reveal='distances', or use "
                "NearestCentroid, whose client is given a distance for each class only."
            )

    def _said(self) -> np.ndarray:
        """Return what each row of training says, (n_rows, n_outputs) (hook)."""
        raise NotImplementedError

    def _to_onnx(self) -> ModelProto:
        from fhe_estimators.core.frontends.scores import export_neighbors

        n_rows = len(self._fit_X)
        if self.n_neighbors > n_rows:
            raise ValueError(
                f"The parameter n_neighbors={self.n_neighbors} of {type(self).__name__} "
                f"must not be above n_samples = {n_rows}. Set fewer."
            )
        by_distance = self.weights == "distance"
        return export_neighbors(self._fit_X, self._said(), self.n_neighbors, by_distance)

    def _state(self) -> list[Any]:
        return [np.asarray(self._fit_X), self._y, self.n_neighbors, str(self.weights)]

    def _rows_known(self) -> np.ndarray:
        return np.asarray(self._fit_X, np.float64)

    def _lower_again(self) -> None:
        self._quantize(np.asarray(self._fit_X, np.float64))

    def _means(self, X: Any) -> np.ndarray:
        """Return what the nearest rows say on the average, (n_samples, n_outputs)."""
        scores = self._scores(X, lambda rows: rows)
        means: np.ndarray = self.quantized_module_.clear_module.outputs(scores)[0]
        return means

    def kneighbors(
        self,
        X: Any = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        fhe: str | None = None,
    ) -> Any:
        """Return the nearest rows of training.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), optional
            Those of the rows of training, in clear and without themselves, by default.
        n_neighbors : int, optional
            By default that of the constructor.
        return_distance : bool, default=True
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_neighbors)
            Only with `return_distance`.
        places : ndarray of shape (n_samples, n_neighbors)
        """
        if X is None:
            return super().kneighbors(None, n_neighbors, return_distance)  # type: ignore[misc]
        count = self.n_neighbors if n_neighbors is None else n_neighbors
        if not 1 <= count <= len(self._fit_X):
            raise ValueError(
                "Expected n_neighbors <= n_samples_fit and > 0, but n_neighbors = "
                f"{count}, n_samples_fit = {len(self._fit_X)}."
            )
        with self._mode(fhe):
            scores = self._scores(X, lambda rows: rows)
        places = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        if not return_distance:
            return places
        origin = self._fit_X.mean(axis=0, dtype=np.float64)
        shared = ((self._validated(X) - origin) ** 2).sum(axis=1)
        if self.weights == "distance":
            shared = np.zeros(len(shared))
        squares = shared[:, np.newaxis] - np.take_along_axis(scores, places, axis=1)
        return np.sqrt(np.maximum(squares, 0)), places


class KNeighborsClassifier(
    _NearestRowsMixin, FHEClassifierMixin, neighbors.KNeighborsClassifier
):
    """Classification by the nearest rows that predicts on encrypted data.

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
        What the client is given. ``'labels'`` alone would compare distances encrypted,
        which takes too long, and is refused.
    p_error : float, default=2**-64
        Probability that a decrypted score is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
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
    outputs_2d_ : bool
        False: there is one label for each row.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point, with the link.
    quantized_module_ : QuantizedModule
        The integer graph with its quantizers.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.neighbors.KNeighborsClassifier : The mirrored class.

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
    >>> from fhe_estimators import KNeighborsClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> KNeighborsClassifier(1).fit(X, y).predict([[0, 0.5], [1, 4]])
    array([0, 1])
    """

    classes_: np.ndarray

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

    def __sklearn_tags__(self) -> Any:
        """Return tags that say that there is one label for each row."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        tags.classifier_tags.multi_label = False
        return tags

    def _said(self) -> np.ndarray:
        if self.outputs_2d_:
            raise ValueError(
                "KNeighborsClassifier of fhe_estimators takes one label for each row; got "
                f"y of {self._y.shape[1]} columns. Fit one for each."
            )
        return np.eye(len(self.classes_))[self._y]

    def predict_proba(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return the share of each class among the nearest rows.

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
        with self._mode(fhe):
            return self._means(X)

    def predict(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Predict the class that most of the nearest rows have.

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
        places = self.predict_proba(X, fhe=fhe).argmax(axis=1)
        return self.classes_[places]

    def _readings(self) -> dict[str, list[Reading]]:
        labels = Labels("largest", labels=self.classes_)
        return {
            "predict": [Reading(end=True, labels=labels)],
            "predict_proba": [Reading(end=True)],
        }


class KNeighborsRegressor(
    _NearestRowsMixin, FHERegressorMixin, neighbors.KNeighborsRegressor
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
        What the client is given. ``'labels'`` alone would compare distances encrypted,
        which takes too long, and is refused.
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
