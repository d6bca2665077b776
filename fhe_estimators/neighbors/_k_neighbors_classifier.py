"""Classification by the nearest rows on encrypted data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import neighbors
from sklearn.utils._param_validation import StrOptions

from fhe_estimators._readings import Labels, Reading
from fhe_estimators.base import FHEClassifierMixin
from fhe_estimators.neighbors._nearest_rows import NearestRowsMixin

if TYPE_CHECKING:
    from fhe_estimators.core.integers import BitWidths

__all__ = ["KNeighborsClassifier"]

#: Where distances are compared encrypted: bits of a feature unless they are given by name,
#: and rows of training, which regions of are looked for in seconds.
_COMPARED_BITS, _MOST_COMPARED = 5, 64


class KNeighborsClassifier(
    NearestRowsMixin, FHEClassifierMixin, neighbors.KNeighborsClassifier
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
    reveal : {'distances', 'labels'}, default='distances'
        What the client is given: its distance to every row of training, or how many of the
        nearest are of each label, for which distances are compared encrypted.
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

    With ``reveal="labels"`` the client is given no more than `predict_proba` returns, for
    one neighbour the label. Which of two rows is nearer is the sign of a form that is
    linear in `x`: it takes tables, for one neighbour seven for each pair of rows whose
    regions touch, of those on a border between classes, for more of every pair. Features
    get 5 bits unless `n_bits` names fewer, or is a dict; up to 64 rows are compared. See
    ``docs/neighbors.md`` for seconds.

    Examples
    --------
    >>> from fhe_estimators import KNeighborsClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> KNeighborsClassifier(1).fit(X, y).predict([[0, 0.5], [1, 4]])
    array([0, 1])
    """

    _fhe_constraints = {
        **NearestRowsMixin._fhe_constraints,
        "reveal": [StrOptions({"distances", "labels"})],
    }

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

    def _check_fhe_parameters(self) -> None:
        super()._check_fhe_parameters()
        if self.reveal == "labels" and self.weights == "distance":
            raise ValueError(
                "The parameter weights='distance' of KNeighborsClassifier needs distances, "
                "which reveal='labels' keeps from the client. Set weights='uniform'."
            )

    def _bit_widths(self) -> BitWidths:
        """Return few bits of inputs where differences of distances are looked up."""
        bits = super()._bit_widths()
        if self.reveal != "labels" or isinstance(self.n_bits, Mapping):
            return bits
        return replace(bits, op_inputs=min(bits.op_inputs, _COMPARED_BITS))

    def _quantize(self, X: np.ndarray, sample_weight: np.ndarray | None = None) -> None:
        if self.reveal != "labels":
            super()._quantize(X, sample_weight)
            return
        from fhe_estimators.core.nearest import votes_module

        self.onnx_model_ = self._to_onnx()
        rows = np.asarray(self._fit_X, np.float64)
        if not self.n_neighbors < len(rows) <= _MOST_COMPARED:
            raise ValueError(
                f"The parameter reveal='labels' of KNeighborsClassifier takes more than "
                f"n_neighbors={self.n_neighbors} rows and up to {_MOST_COMPARED}; got "
                f"{len(rows)}. Fit on fewer, for example on centers of KMeans of each "
                "class, or set reveal='distances'."
            )
        self.quantized_module_ = votes_module(
            rows,
            np.asarray(self._y),
            self.n_neighbors,
            self._input_range,
            self._bit_widths().of_inputs,
        )
        self._remember()

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
