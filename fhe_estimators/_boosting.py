"""What boosted trees share: raw scores that a link is applied to, or votes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils._missing import is_scalar_nan
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _check_categorical_features

from fhe_estimators._config import is_fitting
from fhe_estimators._fit import refuse
from fhe_estimators._readings import Labels, Reading
from fhe_estimators._tables import Categories, Table, categorical_columns, check_is_table
from fhe_estimators._tree_based import TREE_CONSTRAINTS, SklearnTreesMixin, TreeMixin
from fhe_estimators.base import FHEClassifierMixin

if TYPE_CHECKING:
    from fhe_estimators.core.frontends.trees import TreeArrays

__all__ = [
    "BoostingMixin",
    "GradientBoostingMixin",
    "HistGradientBoostingMixin",
    "LibraryMixin",
    "VotingMixin",
]


class BoostingMixin(TreeMixin):
    """For parents that compute raw scores in ``_raw_predict`` and then apply a link."""

    #: Whether the parent validates rows before it asks for their raw scores.
    _rows_are_validated: ClassVar[bool] = False
    #: Which of two classes a score of zero is for, see `Labels`.
    _rule_of_two: ClassVar[str] = "above"

    classes_: np.ndarray

    def _raw_predict(self, X: Any, **options: Any) -> np.ndarray:
        exact = partial(super()._raw_predict, **options)  # type: ignore[misc]
        scores = self._scores(X, exact, validated=self._rows_are_validated)
        # Circuits give what the trees add to the base.
        return scores if is_fitting() else scores + self._base

    def _readings(self) -> dict[str, list[Reading]]:
        if not is_classifier(self):
            return {"predict": [Reading(end=True, form="vector")]}
        one = len(self._base) == 1
        rule = self._rule_of_two if one else "largest"
        labels = Labels(rule, labels=self.classes_)
        form = "vector" if one else "table"
        readings = {
            "decision_function": [Reading(shift=self._base, form=form)],
            "predict": [Reading(shift=self._base, labels=labels)],
        }
        if hasattr(self, "predict_proba"):
            readings["predict_proba"] = [Reading(end=True)]
        return readings


class GradientBoostingMixin(BoostingMixin, SklearnTreesMixin):
    """For scikit-learn's gradient boosting."""

    # What an estimator predicts first is not encrypted.
    _fhe_constraints = {**TREE_CONSTRAINTS, "init": [StrOptions({"zero"}), None]}

    _rows_are_validated = True
    _rule_of_two = "not_below"

    init_: Any
    learning_rate: float
    _loss: Any
    _raw_predict_init: Any

    def _base_scores(self) -> np.ndarray:
        row = np.zeros((1, self.n_features_in_), np.float32)
        base: np.ndarray = np.ravel(self._raw_predict_init(row))
        return base

    def _state(self) -> list[Any]:
        kind = type(self.init_).__name__
        return [*super()._state(), self.learning_rate, kind, self._base_scores()]

    def _export(self) -> tuple[list[TreeArrays], np.ndarray, str]:
        if not isinstance(self.init_, DummyClassifier | DummyRegressor | str):
            refuse("init", self.init_, ["zero", None])
        n_outputs = self.estimators_.shape[1]
        values = [
            _in_column(
                number % n_outputs, n_outputs, self.learning_rate * tree.value[:, 0, 0]
            )
            for number, tree in enumerate(self._trees())
        ]
        link = _link(self._loss, is_classifier(self))
        return self._with_values(values), self._base_scores(), link


class HistGradientBoostingMixin(BoostingMixin):
    """For scikit-learn's histogram-based gradient boosting."""

    _feature_dtype = np.float64
    _compares_categories = True

    categorical_features: Any
    is_categorical_: np.ndarray | None
    _preprocessor: Any
    n_trees_per_iteration_: int
    _baseline_prediction: np.ndarray
    _loss: Any
    _predictors: list[list[Any]]

    def _prepared_for_fit(self, X: Any, sample_weight: Any) -> Any:
        self._validate_params()  # type: ignore[attr-defined]
        return super()._prepared_for_fit(X, sample_weight)

    def _coded_columns(self, X: Any) -> np.ndarray | None:
        if categorical_columns(X) and self.categorical_features is not None:
            check_is_table(X, type(self).__name__)
        chosen: np.ndarray | None = _check_categorical_features(
            X, self.categorical_features
        )
        return chosen

    def _fitted_table(self) -> Table | None:
        """Return how the parent encodes categories: they come first, as their numbers."""
        if self.is_categorical_ is None:
            return None
        encoder = self._preprocessor.named_transformers_["encoder"]
        columns = np.flatnonzero(self.is_categorical_).tolist()
        numbers = np.flatnonzero(~self.is_categorical_).tolist()
        categories = {
            column: Categories(
                [label for label in found.tolist() if not is_scalar_nan(label)]
            )
            for column, found in zip(columns, encoder.categories_, strict=True)
        }
        return Table(categories, [*columns, *numbers])

    def _preprocess_X(self, X: Any, *, reset: bool) -> Any:
        """Validate rows; put the validation rows of `fit` on its bins, too."""
        result = super()._preprocess_X(X, reset=reset)  # type: ignore[misc]
        if not is_fitting() or reset or not hasattr(self, "_representatives"):
            return result
        table = self._fitted_table() or Table({})
        return table.as_features(self._snapped(table.as_columns(np.asarray(result))))

    def _nodes(self) -> list[np.ndarray]:
        return [tree.nodes for iteration in self._predictors for tree in iteration]

    def _bitsets(self) -> list[np.ndarray]:
        """Return the categories that go left at nodes of each tree, as bits of words."""
        return [
            tree.raw_left_cat_bitsets
            for iteration in self._predictors
            for tree in iteration
        ]

    def _state(self) -> list[Any]:
        return [*self._nodes(), *self._bitsets(), self._baseline_prediction]

    def _comparisons(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [
            (
                np.where(
                    (nodes["is_leaf"] | nodes["is_categorical"]).astype(bool),
                    -1,
                    nodes["feature_idx"].astype(np.int64),
                ),
                nodes["num_threshold"],
            )
            for nodes in self._nodes()
        ]

    def _set_thresholds(self, thresholds: Sequence[np.ndarray]) -> None:
        for nodes, threshold in zip(self._nodes(), thresholds, strict=True):
            nodes["num_threshold"] = threshold

    def _export(self) -> tuple[list[TreeArrays], np.ndarray, str]:
        from fhe_estimators.core.frontends.trees import TreeArrays

        n_outputs, takes_missing = self.n_trees_per_iteration_, bool(self._with_missing)
        arrays = []
        for number, (nodes, bitsets) in enumerate(
            zip(self._nodes(), self._bitsets(), strict=True)
        ):
            is_leaf = nodes["is_leaf"].astype(bool)
            of_categories = np.flatnonzero(nodes["is_categorical"] & ~is_leaf).tolist()
            arrays.append(
                TreeArrays(
                    np.where(is_leaf, -1, nodes["feature_idx"].astype(np.int64)),
                    nodes["num_threshold"],
                    np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
                    np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
                    _in_column(number % n_outputs, n_outputs, nodes["value"]),
                    nodes["missing_go_to_left"].astype(bool) if takes_missing else None,
                    {
                        node: places_of_bits(bitsets[nodes["bitset_idx"][node]])
                        for node in of_categories
                    },
                )
            )
        base = np.ravel(self._baseline_prediction)
        return arrays, base, _link(self._loss, is_classifier(self))


class LibraryMixin(TreeMixin):
    """For parents of other libraries, which would pass our parameters on to their trees."""

    _compares_categories = True

    def set_params(self, **params: Any) -> Any:
        """Set parameters.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        self : object
        """
        # The library would set its parameters in the booster, or pass all on to it.
        for name in TREE_CONSTRAINTS.keys() & params.keys():
            setattr(self, name, params.pop(name))
        return super().set_params(**params)  # type: ignore[misc]


class VotingMixin(SklearnTreesMixin, FHEClassifierMixin):
    """For boosted classifiers whose trees vote for labels, each with a weight."""

    # The votes of trees are sums of tables; those of another estimator are not.
    _fhe_constraints = {**TREE_CONSTRAINTS, "estimator": [DecisionTreeClassifier, None]}

    classes_: np.ndarray
    n_classes_: int
    estimator_weights_: np.ndarray

    def _weights(self) -> np.ndarray:
        """Return the weight of each tree, as a part of all."""
        weights = self.estimator_weights_
        parts: np.ndarray = weights[: len(self.estimators_)] / weights.sum()
        return parts

    def _state(self) -> list[Any]:
        return [*super()._state(), self._weights(), self.n_classes_]

    def _votes_of_labels(self) -> np.ndarray:
        """Return what a vote for each label adds to the scores: (n_classes, n_outputs)."""
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


def places_of_bits(words: np.ndarray) -> list[int]:
    """Return the places of the bits that are set in words of 32 bits, from 0 on."""
    little = np.asarray(words, np.uint32).astype("<u4").view(np.uint8)
    found: list[int] = np.flatnonzero(np.unpackbits(little, bitorder="little")).tolist()
    return found


def _in_column(column: int, n_columns: int, values: np.ndarray) -> np.ndarray:
    """Return an array of shape (len(values), n_columns), zero but for one column."""
    array = np.zeros((len(values), n_columns))
    array[:, column] = values
    return array


def _link(loss: Any, classifies: bool) -> str:
    """Return the link, a key of `fhe_estimators.core.frontends.torch.LINKS`, of a loss."""
    if not classifies:
        name = type(loss.link).__name__
        return {"LogLink": "exp", "IdentityLink": "identity"}[name]
    if type(loss).__name__ == "ExponentialLoss":
        return "half_sigmoid"
    return "softmax" if loss.is_multiclass else "sigmoid"
