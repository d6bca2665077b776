"""What gradient boosting shares: raw scores that the parent applies a link to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _check_categorical_features

from fhe_estimators._columns import categories_refused, names_of
from fhe_estimators._config import is_fitting
from fhe_estimators._fit import refuse
from fhe_estimators._readings import Labels, Reading
from fhe_estimators._tree_based import TREE_CONSTRAINTS, SklearnTreesMixin, TreeMixin

if TYPE_CHECKING:
    from fhe_estimators.core.frontends.trees import TreeArrays

__all__ = ["BoostingMixin", "GradientBoostingMixin", "HistGradientBoostingMixin"]


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

    estimators_: Any
    init_: Any
    learning_rate: float
    _loss: Any
    _raw_predict_init: Any

    def _trees(self) -> list[Any]:
        return [estimator.tree_ for estimator in self.estimators_.ravel()]

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

    categorical_features: Any
    is_categorical_: np.ndarray | None
    n_trees_per_iteration_: int
    _baseline_prediction: np.ndarray
    _loss: Any
    _predictors: list[list[Any]]

    def _prepared_for_fit(self, X: Any, sample_weight: Any) -> Any:
        self._validate_params()  # type: ignore[attr-defined]
        chosen = _check_categorical_features(X, self.categorical_features)
        if chosen is not None:
            raise categories_refused(self, names_of(X, chosen))
        return super()._prepared_for_fit(X, sample_weight)

    def _preprocess_X(self, X: Any, *, reset: bool) -> Any:
        """Validate rows; put the validation rows of `fit` on the grid, too."""
        result = super()._preprocess_X(X, reset=reset)  # type: ignore[misc]
        fits = is_fitting() and hasattr(self, "_representatives")
        return self._snapped(result) if fits and not reset else result

    def _nodes(self) -> list[np.ndarray]:
        return [tree.nodes for iteration in self._predictors for tree in iteration]

    def _state(self) -> list[Any]:
        return [*self._nodes(), self._baseline_prediction]

    def _comparisons(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [
            (
                np.where(nodes["is_leaf"], -1, nodes["feature_idx"].astype(np.int64)),
                nodes["num_threshold"],
            )
            for nodes in self._nodes()
        ]

    def _set_thresholds(self, thresholds: Sequence[np.ndarray]) -> None:
        for nodes, threshold in zip(self._nodes(), thresholds, strict=True):
            nodes["num_threshold"] = threshold

    def _export(self) -> tuple[list[TreeArrays], np.ndarray, str]:
        from fhe_estimators.core.frontends.trees import TreeArrays

        if self.is_categorical_ is not None:
            raise categories_refused(self, np.flatnonzero(self.is_categorical_).tolist())
        n_outputs = self.n_trees_per_iteration_
        arrays = [
            TreeArrays(
                feature,
                threshold,
                np.where(feature < 0, -1, nodes["left"].astype(np.int64)),
                np.where(feature < 0, -1, nodes["right"].astype(np.int64)),
                _in_column(number % n_outputs, n_outputs, nodes["value"]),
            )
            for number, (nodes, (feature, threshold)) in enumerate(
                zip(self._nodes(), self._comparisons(), strict=True)
            )
        ]
        base = np.ravel(self._baseline_prediction)
        return arrays, base, _link(self._loss, is_classifier(self))


def _in_column(column: int, n_columns: int, values: np.ndarray) -> np.ndarray:
    """Return an array of zeros but for one column."""
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
