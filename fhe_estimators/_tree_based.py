"""What estimators made of trees share: they are fitted on a grid and looked up in tables."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import is_classifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils import check_array
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import (
    _check_feature_names,
    _check_sample_weight,
)

from fhe_estimators.base import (
    FHE_CONSTRAINTS,
    FHEClassifierMixin,
    FHEMixin,
    FHERegressorMixin,
)
from fhe_estimators.lowering import to_quantized_module
from fhe_estimators.quantization import BINNINGS, Grid, TreeOptions

if TYPE_CHECKING:
    from onnx import ModelProto

    from fhe_estimators.export.trees import TreeArrays

__all__ = [
    "TREE_CONSTRAINTS",
    "ForestClassifierMixin",
    "ForestRegressorMixin",
    "TreeMixin",
    "tree_arrays",
]

#: Constraints of the parameters that every estimator made of trees adds to its parent's.
TREE_CONSTRAINTS: dict[str, list[Any]] = {
    **FHE_CONSTRAINTS,
    "binning": [StrOptions(set(BINNINGS))],
    "input_encoding": [StrOptions({"thermometer", "integer"})],
}

#: Error that is left in the scores of a model that was fitted elsewhere, relative to their
#: standard deviation: so small that no label changes.
_FAITHFUL = 2.0**-12


class TreeMixin(FHEMixin):
    """The raw score is a sum over trees of the value of the leaf that a row ends in.

    The parent is fitted on rows whose values were replaced by those that represent the bins
    of a grid. Its thresholds are then moved to the edges of the grid, which changes nothing
    for such rows: so the fitted model, as scikit-learn has it, sees of any row only the
    bins that its values fall into.
    """

    _fhe_constraints = TREE_CONSTRAINTS
    _feature_dtype = np.float32
    #: Whether a row whose value equals a threshold goes left.
    _goes_left_if_equal: ClassVar[bool] = True

    binning: str
    input_encoding: str
    n_features_in_: int
    _grid: Grid | None
    _representatives: list[np.ndarray]

    # Fitting -------------------------------------------------------------------------

    def _prepared_for_fit(self, X: Any, sample_weight: Any) -> np.ndarray:
        """Return rows whose values represent their bins."""
        array = check_array(X, dtype=self._feature_dtype, estimator=self)
        grid = getattr(self, "_grid", None) if getattr(self, "warm_start", False) else None
        if grid is None or grid.n_features != array.shape[1]:
            if sample_weight is not None:
                sample_weight = _check_sample_weight(sample_weight, array)
            n_bits = self._bit_widths().op_inputs
            grid = Grid.of(array, n_bits, self.binning, sample_weight)
            self._representatives = grid.representatives(array)
        self._grid = grid
        return grid.snapped(array, self._representatives)

    def _lower(
        self, X: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> None:
        grid = getattr(self, "_grid", None)
        if hasattr(self, "_representatives"):
            # The parent was fitted on an array.
            _check_feature_names(self, X, reset=True)
            for feature, threshold in self._comparisons():
                threshold[:] = self._edges(feature, threshold)
        X = self._validated(X)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        self.onnx_model_ = self._to_onnx()
        bits = self._bit_widths()
        options = TreeOptions(
            grid,
            bits.op_weights if isinstance(self.n_bits, Mapping) else None,
            **({"tolerance": _FAITHFUL} if grid is None else {}),
        )
        self.quantized_module_ = to_quantized_module(
            self.onnx_model_, [X], bits, None, sample_weight, options
        )

    def _edges(self, feature: np.ndarray, threshold: np.ndarray) -> np.ndarray:
        """Return the edges that divide the representatives as thresholds do."""
        assert self._grid is not None
        moved = threshold.astype(np.float64)
        side = "right" if self._goes_left_if_equal else "left"
        for column in np.unique(feature[feature >= 0]):
            at = feature == column
            values, edges = self._representatives[column], self._grid.edges[column]
            last_left = np.searchsorted(values, threshold[at], side=side) - 1
            inside = (last_left >= 0) & (last_left < len(edges))
            moved[at] = np.where(
                inside, np.append(edges, np.nan)[np.minimum(last_left, len(edges))], moved[at]
            )
        return moved

    @abstractmethod
    def _comparisons(self) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Return features (-1 for leaves) and thresholds of each tree, to be written to."""

    @abstractmethod
    def _export(self) -> tuple[Sequence[TreeArrays], np.ndarray, Any]:
        """Return the trees, what is added to their sum, and the link."""

    def _to_onnx(self) -> ModelProto:
        from fhe_estimators.export.torch import export_trees

        trees, base, link = self._export()
        return export_trees(trees, self.n_features_in_, base, link)

    @classmethod
    def from_sklearn_model(
        cls,
        model: Any,
        X: Any,
        *,
        n_bits: int | None = None,
        binning: str = "quantile",
    ) -> Any:
        """Return the encrypted twin of a model that is already fitted.

        Parameters
        ----------
        model : estimator
            A fitted instance of the class that this class mirrors. It is neither changed
            nor fitted again.
        X : array-like of shape (n_samples, n_features)
            Rows like those that it was fitted on: they tell how precise leaves must be.
        n_bits : int, optional
            By default the grid consists of the model's own thresholds: predictions do not
            change, and the client sees the thresholds. With `n_bits` it is the grid that
            `fit` would use, and every threshold moves to the nearest edge.
        binning : {'quantile', 'uniform'}, default='quantile'
            The grid, if `n_bits` is given.

        Returns
        -------
        estimator : instance of this class
            Fitted, with `p_error` at its default.

        Raises
        ------
        TypeError
            If `model` is of another class.
        NotFittedError
            If `model` is not fitted.
        """
        twin = cls._twin(model)
        if n_bits is not None:
            twin.set_params(n_bits=n_bits, binning=binning)
            twin._check_fhe_parameters()
            array = twin._validated(X)
            twin._grid = Grid.of(array, twin._bit_widths().op_inputs, binning)
        twin._lower(X)
        return twin


def tree_arrays(tree: Any, value: np.ndarray) -> TreeArrays:
    """Return a tree of scikit-learn with other values, of shape (n_nodes, n_outputs)."""
    from fhe_estimators.export.trees import TreeArrays

    return TreeArrays(
        tree.feature, tree.threshold, tree.children_left, tree.children_right, value
    )


class SklearnTreesMixin(TreeMixin):
    """For parents made of scikit-learn's decision trees."""

    @abstractmethod
    def _trees(self) -> Sequence[Any]:
        """Return the fitted trees, as in the attribute ``tree_``."""

    def _comparisons(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [
            (np.where(tree.children_left < 0, -1, tree.feature), tree.threshold)
            for tree in self._trees()
        ]


class ForestMixin(SklearnTreesMixin):
    """For a decision tree and for forests: the mean of the values of trees.

    A raw score is what ``tree_.predict`` gives, averaged, in one row.
    """

    n_outputs_: int
    estimators_: list[Any]

    def _trees(self) -> list[Any]:
        if hasattr(self, "tree_"):
            return [self.tree_]
        return [estimator.tree_ for estimator in self.estimators_]

    def _export(self) -> tuple[list[TreeArrays], np.ndarray, str]:
        trees = self._trees()
        values = [tree.value.reshape(tree.node_count, -1) for tree in trees]
        arrays = [
            tree_arrays(tree, value / len(trees))
            for tree, value in zip(trees, values, strict=True)
        ]
        return arrays, np.zeros(values[0].shape[1]), "identity"


class ForestRegressorMixin(ForestMixin, FHERegressorMixin):
    """For regressors that are a decision tree or a forest."""

    def predict(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Predict.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            How the trees are evaluated: with integers in clear, with the cryptography
            simulated, or on encrypted rows. By default the mode of `config_context`, which
            is ``"disable"`` outside of one.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        with self._mode(fhe):
            scores = self._scores(X, super().predict)
        return scores[:, 0] if self.n_outputs_ == 1 and scores.ndim == 2 else scores


class ForestClassifierMixin(ForestMixin, FHEClassifierMixin):
    """For classifiers that are a decision tree or a forest."""

    n_classes_: Any

    def predict(self, X: Any, *, fhe: str | None = None) -> np.ndarray:
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict_proba`.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        with self._mode(fhe):
            # It takes the labels of the largest probabilities, a tree's as a forest's.
            return RandomForestClassifier.predict(self, X)

    def predict_proba(self, X: Any, *, fhe: str | None = None) -> Any:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        fhe : {'disable', 'simulate', 'execute'}, optional
            How the trees are evaluated: with integers in clear, with the cryptography
            simulated, or on encrypted rows. By default the mode of `config_context`, which
            is ``"disable"`` outside of one.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), or a list of them
            In the order of ``classes_``; a list if there are several outputs.
        """
        with self._mode(fhe):
            scores = self._scores(X, super().predict_proba)
        if not isinstance(scores, np.ndarray) or self.n_outputs_ == 1:
            return scores
        outputs = scores.reshape(len(scores), self.n_outputs_, -1)
        return [
            outputs[:, number, :n_classes]
            for number, n_classes in enumerate(self.n_classes_)
        ]


class BoostingMixin(TreeMixin):
    """For parents that compute raw scores in ``_raw_predict`` and then apply a link."""

    #: Whether the parent validates rows before it asks for their raw scores.
    _rows_are_validated: ClassVar[bool] = False

    def _raw_predict(self, X: Any, *args: Any) -> np.ndarray:
        return self._scores(
            X,
            lambda X: super(BoostingMixin, self)._raw_predict(X, *args),  # type: ignore[misc]
            validated=self._rows_are_validated,
        )


class GradientBoostingMixin(BoostingMixin, SklearnTreesMixin):
    """For scikit-learn's gradient boosting."""

    _rows_are_validated = True

    estimators_: Any
    learning_rate: float

    def _trees(self) -> list[Any]:
        return [estimator.tree_ for estimator in self.estimators_.ravel()]

    def _export(self) -> tuple[list[TreeArrays], np.ndarray, str]:
        n_outputs = self.estimators_.shape[1]
        arrays = []
        for number, tree in enumerate(self._trees()):
            value = np.zeros((tree.node_count, n_outputs))
            value[:, number % n_outputs] = self.learning_rate * tree.value[:, 0, 0]
            arrays.append(tree_arrays(tree, value))
        row = np.zeros((1, self.n_features_in_), np.float32)
        base = np.ravel(self._raw_predict_init(row))
        return arrays, base, _link(self._loss, is_classifier(self))


class HistGradientBoostingMixin(BoostingMixin):
    """For scikit-learn's histogram-based gradient boosting."""

    _feature_dtype = np.float64

    _predictors: list[list[Any]]

    def _nodes(self) -> list[np.ndarray]:
        return [tree.nodes for iteration in self._predictors for tree in iteration]

    def _comparisons(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [
            (
                np.where(nodes["is_leaf"], -1, nodes["feature_idx"].astype(np.int64)),
                nodes["num_threshold"],
            )
            for nodes in self._nodes()
        ]

    def _export(self) -> tuple[list[TreeArrays], np.ndarray, str]:
        from fhe_estimators.export.trees import TreeArrays

        n_outputs = self.n_trees_per_iteration_
        arrays = []
        for number, nodes in enumerate(self._nodes()):
            leaf = nodes["is_leaf"].astype(bool)
            value = np.zeros((len(nodes), n_outputs))
            value[:, number % n_outputs] = nodes["value"]
            left, right = (
                np.where(leaf, -1, nodes[side].astype(np.int64))
                for side in ("left", "right")
            )
            threshold = nodes["num_threshold"]
            arrays.append(TreeArrays(nodes["feature_idx"], threshold, left, right, value))
        base = np.ravel(self._baseline_prediction)
        return arrays, base, _link(self._loss, is_classifier(self))


def _link(loss: Any, classifies: bool) -> str:
    """Return the link, a key of `fhe_estimators.export.torch.LINKS`, of a loss."""
    if not classifies:
        name = type(loss.link).__name__
        return {"LogLink": "exp", "IdentityLink": "identity"}[name]
    if type(loss).__name__ == "ExponentialLoss":
        return "half_sigmoid"
    return "softmax" if loss.is_multiclass else "sigmoid"
