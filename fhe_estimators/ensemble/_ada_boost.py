"""AdaBoost on encrypted data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import ensemble, tree

from fhe_estimators._readings import Labels, Reading
from fhe_estimators._tree_based import TREE_CONSTRAINTS, SklearnTreesMixin
from fhe_estimators.base import FHEClassifierMixin

if TYPE_CHECKING:
    from fhe_estimators.core.frontends.trees import TreeArrays

__all__ = ["AdaBoostClassifier"]


class AdaBoostClassifier(
    SklearnTreesMixin, FHEClassifierMixin, ensemble.AdaBoostClassifier
):
    """Weighted votes of small trees that classify encrypted data.

    Fitted by scikit-learn, in clear, on a grid of values. With ``fhe="execute"`` the client
    encrypts which edges of the grid a row lies below; the server looks the leaves up in
    encrypted tables and adds the votes of their trees, rounded; the client turns the sum
    into labels and probabilities. Trees of depth one, stumps, need no table.

    Parameters
    ----------
    estimator : DecisionTreeClassifier or None, default=None
        The tree that is boosted; None is one of depth one, a stump. Another estimator
        cannot be encrypted and is refused.
    n_estimators : int, default=50
        Maximum number of trees; a perfect fit ends the boosting earlier.
    learning_rate : float, default=1.0
        What the weights of trees are multiplied by.
    random_state : int, RandomState instance or None, default=None
        Seed of the trees.
    n_bits : int or dict, default=4
        The values of each feature fall into ``2**n_bits`` bins, `n_bits` from 1 to 16. A
        dict ``{"op_inputs": ..., "op_weights": ...}`` also sets the bits of the values of
        leaves, which are chosen by their effect otherwise.
    binning : {'quantile', 'uniform'}, default='quantile'
        Whether bins hold as many rows each or have the same width.
    input_encoding : {'thermometer', 'integer'}, default='thermometer'
        What is encrypted: a bit for each edge of the grid, or one integer a feature, which
        is smaller to send and slower to compute with.
    p_error : float, default=2**-64
        Probability that a table look-up is wrong. Smaller is slower; see the README.

    Attributes
    ----------
    estimator_ : estimator
        The tree that was cloned for each of `estimators_`.
    estimators_ : list of DecisionTreeClassifier
        The fitted trees; their thresholds are edges of the grid.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_classes_ : int
        Number of classes.
    estimator_weights_ : ndarray of float
        Weight of each tree.
    estimator_errors_ : ndarray of float
        Weighted error of each tree.
    feature_importances_ : ndarray of shape (n_features,)
        Normalized reduction of the criterion that each feature brings.
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
    sklearn.ensemble.AdaBoostClassifier : The mirrored class.

    Examples
    --------
    >>> from fhe_estimators import AdaBoostClassifier
    >>> X, y = [[0, 0], [1, 0], [0, 2], [1, 3]], [0, 0, 1, 1]
    >>> AdaBoostClassifier(n_estimators=10).fit(X, y).predict([[0, 0], [1, 4]])
    array([0, 1])
    """

    # Their votes are sums of tables; those of another estimator are not.
    _fhe_constraints = {
        **TREE_CONSTRAINTS,
        "estimator": [tree.DecisionTreeClassifier, None],
    }

    # Written by `make mirror`, and so are Parameters, Attributes and See Also.
    def __init__(
        self,
        estimator=None,
        *,
        n_estimators=50,
        learning_rate=1.0,
        random_state=None,
        n_bits=4,
        binning="quantile",
        input_encoding="thermometer",
        p_error=2**-64,
    ) -> None:
        super().__init__(
            estimator=estimator,
            n_estimators=n_estimators,
            learning_rate=learning_rate,
            random_state=random_state,
        )
        self.n_bits = n_bits
        self.binning = binning
        self.input_encoding = input_encoding
        self.p_error = p_error

    def _trees(self) -> list[Any]:
        return [estimator.tree_ for estimator in self.estimators_]

    def _weights(self) -> np.ndarray:
        """Return the weight of each tree, as a part of all."""
        weights = self.estimator_weights_
        parts: np.ndarray = weights[: len(self.estimators_)] / weights.sum()
        return parts

    def _state(self) -> list[Any]:
        return [*super()._state(), self._weights(), self.n_classes_]

    def _votes_of_labels(self) -> np.ndarray:
        """Return what each label that a tree of weight one gives adds to the scores."""
        n_classes = self.n_classes_
        if n_classes < 3:
            return (n_classes - 1) * np.array([[-2.0], [2.0]])[:n_classes]
        return np.where(np.eye(n_classes, dtype=bool), 1.0, -1 / (n_classes - 1))

    def _export(self) -> tuple[list[TreeArrays], np.ndarray, Any]:
        n_others, scores = self.n_classes_ - 1, self._votes_of_labels()
        values = [
            weight * scores[fitted.value[:, 0].argmax(axis=1)]
            for fitted, weight in zip(self._trees(), self._weights(), strict=True)
        ]
        link = "sigmoid" if n_others < 2 else lambda score: (score / n_others).softmax(1)
        return self._with_values(values), np.zeros(scores.shape[1]), link

    def _readings(self) -> dict[str, list[Reading]]:
        two = self.n_classes_ == 2
        labels = Labels("above" if two else "largest", labels=self.classes_)
        return {
            "decision_function": [Reading(form="vector" if two else "table")],
            "predict": [Reading(labels=labels)],
            "predict_proba": [Reading(end=True)],
        }

    def decision_function(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Return the weighted votes.

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
        with self._mode(fhe):
            scores = self._scores(X, super().decision_function)
        return scores[:, 0] if self.n_classes_ == 2 and scores.ndim == 2 else scores
