"""Isolation forests on encrypted data."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import ensemble
from sklearn.ensemble._iforest import _average_path_length
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from fhe_estimators._config import is_fitting
from fhe_estimators._outliers import FHEOutlierMixin
from fhe_estimators._readings import Labels, Reading
from fhe_estimators._tree_based import TREE_CONSTRAINTS, SklearnTreesMixin
from fhe_estimators.core.trees import BINNINGS

if TYPE_CHECKING:
    from fhe_estimators.core.frontends.trees import TreeArrays

__all__ = ["IsolationForest"]


class IsolationForest(SklearnTreesMixin, FHEOutlierMixin, ensemble.IsolationForest):
    """A forest of random trees that finds outliers in encrypted data.

    Fitted by scikit-learn, in clear, on binned values. With ``fhe="execute"`` the client
    encrypts which edges of bins a row lies below; the server looks up in encrypted tables
    how long the path of the row is in each tree, and adds the lengths, rounded; the client
    turns the sum into a score.

    Parameters
    ----------
    n_estimators : int, default=100
        Number of trees. Time, size and accuracy grow with it.
    max_samples : 'auto', int or float, default=32
        Rows that each tree is fitted on; as a fraction of all if a float, 256 if
        ``'auto'``. 'auto' in scikit-learn: trees of that many rows cost eight times as
        much.
    contamination : 'auto' or float, default='auto'
        Fraction of outliers among the training rows, which sets the threshold of `predict`;
        ``'auto'`` takes the score -0.5 as threshold.
    max_features : int or float, default=1.0
        Features that a tree is given; as a fraction of all if a float.
    bootstrap : bool, default=False
        Whether the rows of a tree are drawn with replacement.
    n_jobs : int or None, default=None
        Number of threads that fit trees at the same time; None is one.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows, features and thresholds that are drawn.
    verbose : int, default=0
        Verbosity of `fit`; zero is silent.
    warm_start : bool, default=False
        Whether `fit` adds trees to those that it made before, on the same bins.
    n_bits : int or dict, default=4
        The values of each feature fall into ``2**n_bits`` bins, `n_bits` from 1 to 16, on
        average where `binning` says so. A dict ``{"op_inputs": ..., "op_weights": ...}``
        also sets the bits of the values of leaves, which are chosen by their effect
        otherwise.
    binning : {'quantile', 'uniform', 'adaptive'}, default='adaptive'
        Whether bins hold as many rows each, have the same width, or adapt to the density of
        values in between, which long tails need.
    input_encoding : {'thermometer', 'integer'}, default='thermometer'
        What is encrypted: a bit for each edge between bins, or one integer a feature, which
        is smaller to send and slower to compute with.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    estimator_ : estimator
        The tree that was cloned for each of `estimators_`.
    estimators_ : list of ExtraTreeRegressor
        The fitted trees; their thresholds are edges of bins.
    estimators_features_ : list of ndarray
        The features that each tree was given.
    estimators_samples_ : list of ndarray
        Indices of the rows that each tree was fitted on.
    max_samples_ : int
        Number of rows that each tree was fitted on.
    offset_ : float
        The score below which a row is an outlier.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `fit` was given a data frame.
    onnx_model_ : onnx.ModelProto
        The fitted model, in floating point.
    quantized_module_ : QuantizedModule
        The integer graph with its encoder and decoder.
    fhe_circuit_ : Circuit
        The compiled circuit; absent before `compile`.

    See Also
    --------
    sklearn.ensemble.IsolationForest : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import IsolationForest
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1], [9, 9]]
    >>> model = IsolationForest(max_samples=5, random_state=0).fit(X)
    >>> model.predict(X)
    array([ 1,  1,  1,  1, -1])
    """

    # Where its trees divide says nothing: it is drawn.
    _fhe_constraints = {**TREE_CONSTRAINTS, "binning": [StrOptions(set(BINNINGS))]}

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        *,
        n_estimators=100,
        max_samples=32,
        contamination="auto",
        max_features=1.0,
        bootstrap=False,
        n_jobs=None,
        random_state=None,
        verbose=0,
        warm_start=False,
        n_bits=4,
        binning="adaptive",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            n_estimators=n_estimators,
            max_samples=max_samples,
            contamination=contamination,
            max_features=max_features,
            bootstrap=bootstrap,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
            warm_start=warm_start,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error

    def _lower(
        self, X: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> None:
        super()._lower(X, sample_weight, incremental=incremental)
        if self.contamination != "auto":
            # The parent's divides exact scores: of rounded ones others may lie below.
            scores = self.score_samples(X, fhe="disable")
            self.offset_ = np.percentile(scores, 100 * self.contamination)

    def _features(self) -> list[np.ndarray]:
        features = super()._features()
        if self._max_features == self.n_features_in_:
            return features
        # Each tree numbers the features that it was given.
        return [
            np.where(feature < 0, -1, given[np.maximum(feature, 0)])
            for feature, given in zip(features, self.estimators_features_, strict=True)
        ]

    def _state(self) -> list[Any]:
        return [
            *super()._state(),
            *self._decision_path_lengths,
            *self._average_path_length_per_tree,
            self._max_samples,
        ]

    def _export(self) -> tuple[list[TreeArrays], np.ndarray, Any]:
        lengths = [
            # The root is at depth 1, and a leaf of many rows stands for a tree of them.
            (depth - 1 + rest).reshape(-1, 1)
            for depth, rest in zip(
                self._decision_path_lengths, self._average_path_length_per_tree, strict=True
            )
        ]
        usual = len(lengths) * float(_average_path_length([self._max_samples])[0])
        # Of a single row the score is -1/2, what it is for paths of the usual length.
        base, usual = (0.0, usual) if usual else (1.0, 1.0)
        return (
            self._with_values(lengths),
            np.array([base]),
            lambda total: -(2.0 ** (-total / usual)),
        )

    def _compute_score_samples(self, X, subsample_features):
        exact = partial(
            super()._compute_score_samples, subsample_features=subsample_features
        )
        scores = self._scores(X, exact, validated=True)
        if is_fitting():
            return scores
        normality: Any = self.quantized_module_.clear_module(scores)
        return -normality[:, 0]

    def _readings(self) -> dict[str, list[Reading]]:
        offset = -float(self.offset_)
        labels = Labels("not_below", labels=np.array([-1, 1]))
        return {
            "decision_function": [Reading(end=True, offset=offset, form="vector")],
            "predict": [Reading(end=True, offset=offset, labels=labels)],
        }

    def score_samples(self, X, *, fhe: str | None = None) -> np.ndarray:
        """Return how little of an outlier each row is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            From -1 to 0, low for outliers.
        """
        check_is_fitted(self)
        with self._mode(fhe):
            return self._score_samples(self._validated(X))
