"""What estimators made of trees share: bins to be fitted on, tables to look them up."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import is_classifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _check_sample_weight

from fhe_estimators._binned import BinnedMixin
from fhe_estimators._readings import Labels, Reading
from fhe_estimators._state import are_edges, arrays_of
from fhe_estimators._tables import Table
from fhe_estimators.base import (
    FHE_CONSTRAINTS,
    FHEClassifierMixin,
    FHEMixin,
    FHERegressorMixin,
    Tags,
)
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.trees import (
    BINNINGS,
    BinEdges,
    Splits,
    TreeOptions,
    split_weights,
)

if TYPE_CHECKING:
    from onnx import ModelProto

    from fhe_estimators.core.frontends.trees import TreeArrays

__all__ = [
    "TREE_CONSTRAINTS",
    "ForestClassifierMixin",
    "ForestRegressorMixin",
    "SklearnTreesMixin",
    "TreeMixin",
]

#: Constraints of the parameters that every estimator made of trees adds to its parent's.
TREE_CONSTRAINTS: dict[str, list[Any]] = {
    **FHE_CONSTRAINTS,
    "binning": [StrOptions({*BINNINGS, "splits"})],
    "input_encoding": [StrOptions({"thermometer", "integer"})],
}

#: Error that is left in the scores of a model that was fitted elsewhere, relative to what
#: most of them differ by: so small that hardly a label can change.
_FAITHFUL = 2.0**-12
#: Scores of classifiers are log-odds, or probabilities: this far apart labels are sure.
_SATURATION = 8.0
#: What a split matters that makes no difference.
_TINY = float(np.finfo(np.float64).tiny)


class TreeMixin(BinnedMixin, FHEMixin):
    """The raw score is a sum over trees of the value of the leaf that a row ends in.

    The parent is fitted on rows whose values were replaced by those that represent the bins
    of its features. Its thresholds are then moved to the edges of bins, which changes
    nothing for such rows: so the fitted model, as scikit-learn has it, sees of any row only
    the bins that its values fall into.
    """

    _fhe_constraints = TREE_CONSTRAINTS
    _feature_dtype: ClassVar[type] = np.float32

    _base: np.ndarray

    def __sklearn_tags__(self) -> Tags:
        """Return tags that say that a twin keeps the thresholds of its model."""
        tags = super().__sklearn_tags__()
        tags.fhe_tags.faithful_twin = True
        return tags

    def _lower(
        self, X: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> None:
        assert self._bin_edges is not None
        self._table = self._fitted_table()
        table, values = self._table or Table({}), self._representatives
        for column, categories in table.categories.items():
            values[column] = categories.representatives
        bin_edges, values = self._in_order(self._bin_edges), table.in_order(values)
        self._set_thresholds(
            [
                bin_edges.dividing(feature, threshold, values)
                for feature, threshold in self._comparisons()
            ]
        )
        sent = self._sent_edges
        self._bin_edges = bin_edges if sent is None else self._in_order(sent)
        self._sent_edges = None
        del self._representatives, self._coded
        self._quantize(self._validated(X), sample_weight)

    def _in_order(self, bin_edges: BinEdges) -> BinEdges:
        """Return edges of features, those of categories too, of edges of columns."""
        if self._table is None:
            return bin_edges
        edges = list(bin_edges.edges)
        for column, categories in self._table.categories.items():
            edges[column] = categories.edges
        return BinEdges(self._table.in_order(edges))

    def _thresholds_of_columns(
        self, columns: Sequence[int]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        features, thresholds = zip(*self._comparisons(), strict=True)
        matter = [np.full(len(feature), _TINY) for feature in features]
        trees, _, _ = self._export()
        # What early stopping left over is not exported, nor are leaves always compared.
        for some, tree in zip(matter, trees, strict=False):
            some += split_weights(tree.left, tree.right, tree.value)[: len(some)]
        feature, threshold, of = map(np.concatenate, (features, thresholds, matter))
        found = [(np.empty(0), np.empty(0))] * len(columns)
        divides = (feature >= 0) & np.isfinite(threshold)
        for number in np.unique(feature[divides]).tolist():
            at = divides & (feature == number)
            found[columns[number]] = threshold[at], of[at]
        return found

    def _quantize(self, X: np.ndarray, sample_weight: Any = None) -> None:
        """Lower the fitted model to integers, on the bins of `fit` if there are any.

        `X` may have no rows, see `TreeGraphs`.
        """
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        self.onnx_model_ = self._to_onnx()
        bits = self._bit_widths()
        tolerances = {"tolerance": _FAITHFUL, "wide_tolerance": _FAITHFUL}
        trees = TreeOptions(
            self._bin_edges,
            self._with_missing,
            bits.op_weights if isinstance(self.n_bits, Mapping) else None,
            encoding=self.input_encoding,
            saturation=self._saturation,
            **(tolerances if self._bin_edges is None else {}),
        )
        self.quantized_module_ = to_quantized_module(
            self.onnx_model_, Calibration([X], sample_weight), Options(bits, trees=trees)
        )
        self._remember()

    @property
    def _saturation(self) -> float | None:
        """How far apart raw scores may be for their difference to matter, if at all."""
        return _SATURATION if is_classifier(self) else None

    def _lower_again(self) -> None:
        """Lower on the bins of `fit` if thresholds are their edges, else on own bins."""
        known = self._with_missing
        self._table = self._fitted_table()
        coded = self._labelled()
        bin_edges = getattr(self, "_bin_edges", None)
        if (
            bin_edges is None
            or bin_edges.n_features != self.n_features_in_
            or not are_edges(self._comparisons(), bin_edges.edges)
            or any(
                len(bin_edges.edges[feature]) != len(categories.edges)
                for feature, categories in coded.items()
            )
        ):
            self._own_missing = frozenset(
                feature
                for feature in known.union(coded, self._known_missing())
                if feature < self.n_features_in_
            )
            self._bin_edges = None
        self._quantize(np.empty((0, self.n_features_in_), self._feature_dtype))

    @abstractmethod
    def _comparisons(self) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Return features (-1 for leaves) and thresholds of each tree (hook)."""

    @abstractmethod
    def _set_thresholds(self, thresholds: Sequence[np.ndarray]) -> None:
        """Replace the thresholds of the fitted model, those of each tree (hook)."""

    @abstractmethod
    def _export(self) -> tuple[Sequence[TreeArrays], np.ndarray, Any]:
        """Return the trees, what is added to their sum, and the link (hook)."""

    def _to_onnx(self) -> ModelProto:
        from fhe_estimators.core.frontends.torch import export_trees

        trees, self._base, link = self._export()
        return export_trees(trees, self.n_features_in_, self._base, link)

    def _lower_held(self, X: Any, given: Collection[str]) -> None:
        """Lower on the thresholds of the model, or on bins of `X` if `n_bits` is given."""
        on_bins = "n_bits" in given
        if X is None and on_bins:
            raise ValueError(
                f"n_bits={self.n_bits} divides the values of each feature into bins: pass "
                "rows like those that the model was fitted on as X, or leave n_bits out to "
                "keep the thresholds of the model."
            )
        self._bin_edges = None
        if X is not None:
            self._note_columns(X)
        self._table = self._fitted_table()
        coded = self._labelled()
        # All may be missing, until it is known of the rows.
        everything = range(self.n_features_in_)
        self._own_missing = frozenset(everything if self._takes_missing else ())
        rows = (
            np.empty((0, self.n_features_in_), self._feature_dtype)
            if X is None
            else self._validated(X)
        )
        missing = np.flatnonzero(np.isnan(rows).any(axis=0)).tolist()
        self._own_missing = frozenset([*coded, *missing, *self._known_missing()])
        if on_bins:
            edges = list(self._edges_for_held(rows).edges)
            for feature, categories in coded.items():
                edges[feature] = categories.edges
            self._bin_edges = BinEdges(edges)
            self._set_thresholds(
                [self._bin_edges.moved(*comparisons) for comparisons in self._comparisons()]
            )
        self._quantize(rows)

    def _edges_for_held(self, rows: np.ndarray) -> BinEdges:
        """Return edges for a model that is held, of rows as features."""
        edges, is_fine = self._first_edges(rows)
        if not is_fine:
            return edges
        thresholds = self._thresholds_of_columns(range(edges.n_features))
        splits = Splits.of(thresholds, edges.n_finite, edges.nearest)
        return self._worth(edges.replaced(splits.thresholds), splits)[1]


class SklearnTreesMixin(TreeMixin):
    """For parents made of scikit-learn's decision trees."""

    estimators_: Any

    def _trees(self) -> Sequence[Any]:
        """Return the fitted trees, each as in the attribute ``tree_``."""
        if hasattr(self, "tree_"):
            return [self.tree_]
        return [estimator.tree_ for estimator in np.ravel(self.estimators_)]

    def _features(self) -> list[np.ndarray]:
        """Return the feature that each node of each tree compares, -1 for a leaf."""
        return [
            np.where(tree.children_left < 0, -1, tree.feature) for tree in self._trees()
        ]

    def _comparisons(self) -> list[tuple[np.ndarray, np.ndarray]]:
        thresholds = [tree.threshold for tree in self._trees()]
        return list(zip(self._features(), thresholds, strict=True))

    def _set_thresholds(self, thresholds: Sequence[np.ndarray]) -> None:
        for tree, threshold in zip(self._trees(), thresholds, strict=True):
            tree.threshold[:] = threshold

    def _state(self) -> list[Any]:
        return [array for tree in self._trees() for array in arrays_of(tree)]

    def _with_values(self, values: Sequence[np.ndarray]) -> list[TreeArrays]:
        """Return the trees with other values, of shape (n_nodes, n_outputs) each."""
        from fhe_estimators.core.frontends.trees import TreeArrays

        return [
            TreeArrays(
                feature,
                tree.threshold,
                tree.children_left,
                tree.children_right,
                value,
                tree.missing_go_to_left.astype(bool) if self._with_missing else None,
            )
            for tree, feature, value in zip(
                self._trees(), self._features(), values, strict=True
            )
        ]


class ForestMixin(SklearnTreesMixin):
    """For a decision tree and for forests: the mean of the values of trees.

    A raw score is what ``tree_.predict`` gives, averaged, in one row.
    """

    n_outputs_: int

    def _export(self) -> tuple[list[TreeArrays], np.ndarray, str]:
        trees = self._trees()
        values = [tree.value.reshape(tree.node_count, -1) / len(trees) for tree in trees]
        return self._with_values(values), np.zeros(values[0].shape[1]), "identity"


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

    def _readings(self) -> dict[str, list[Reading]]:
        return {"predict": [Reading(form="vector" if self.n_outputs_ == 1 else "table")]}


class ForestClassifierMixin(ForestMixin, FHEClassifierMixin):
    """For classifiers that are a decision tree or a forest."""

    n_classes_: Any
    classes_: Any

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
            labels: np.ndarray = RandomForestClassifier.predict(self, X)
        return labels

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
        found = [reading([scores], None) for reading in self._probabilities_read()]
        return found if self.n_outputs_ > 1 else found[0]

    def _probabilities_read(self) -> list[Reading]:
        """Return how scores are read as the probabilities of each output."""
        n_classes = np.atleast_1d(self.n_classes_).tolist()
        starts = range(0, max(n_classes) * len(n_classes), max(n_classes))
        # Rounding may take more from a small probability than all of it.
        several = len(self._trees()) > 1
        return [
            Reading(columns=(start, start + count), normalized=several)
            for start, count in zip(starts, n_classes, strict=True)
        ]

    def _readings(self) -> dict[str, list[Reading]]:
        probabilities = self._probabilities_read()
        classes = self.classes_ if self.n_outputs_ > 1 else [self.classes_]
        labels = [
            replace(reading, labels=Labels("largest", labels=of))
            for reading, of in zip(probabilities, classes, strict=True)
        ]
        return {"predict": labels, "predict_proba": probabilities}
