"""What explainable boosting machines share: terms as trees, raw scores, labels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import ClassifierTags, InputTags, RegressorTags, TargetTags
from sklearn.utils._param_validation import StrOptions

from fhe_estimators._fit import refuse
from fhe_estimators._readings import Labels, Reading
from fhe_estimators._tables import Table
from fhe_estimators._tree_based import TREE_CONSTRAINTS, TreeMixin
from fhe_estimators.base import FHEClassifierMixin, FHERegressorMixin, Tags
from fhe_estimators.core.trees import BinEdges, Splits
from fhe_estimators.interpret import _terms as terms
from fhe_estimators.interpret._explained import ExplainedMixin
from fhe_estimators.interpret._library import check_names, coded_columns

if TYPE_CHECKING:
    from fhe_estimators.core.frontends.trees import TreeArrays

#: Links of the library, as keys of `frontends.torch.LINKS`.
_LINKS = {
    "identity": "identity",
    "log": "exp",
    "logit": "sigmoid",
    "mlogit": "softmax",
    "vlogit": "expit",
}
#: States of all terms of several features: they make hundreds of tables.
_MOST_STATES = 1 << 14


class AdditiveMixin(ExplainedMixin, TreeMixin):
    """For explainable boosting machines; stands left of `AdditiveModel`.

    Bins are the library's own. A term of one feature is a function of its bin, which is
    linear in what the client encrypts: it costs no table. One of two features is a table.
    """

    _fhe_constraints = _parameter_constraints = {
        **TREE_CONSTRAINTS,
        "binning": [StrOptions({"splits", "quantile", "uniform"})],
    }
    #: Without an edge between terms of one feature no table is saved, only upload.
    _least_saved = 2e-6
    _feature_dtype = np.float64
    _compares_categories = True

    feature_names: Sequence[Any] | None
    feature_types: Sequence[Any] | None
    bin_weights_: list[np.ndarray]
    bins_: list[list[Any]]
    feature_types_in_: list[str]
    histogram_weights_: list[np.ndarray]
    intercept_: Any
    link_: str
    term_features_: list[tuple[int, ...]]
    term_scores_: list[np.ndarray]
    _has_fine_bins: bool
    _has_names: bool
    _predict_score: Callable[[Any], np.ndarray]

    def __sklearn_tags__(self) -> Tags:
        """Return the parent's tags, of scikit-learn's classes, for tables."""
        tags = super().__sklearn_tags__()
        tags.input_tags = InputTags(**{**vars(tags.input_tags), "dict": False})
        tags.target_tags = TargetTags(**vars(tags.target_tags))
        if tags.classifier_tags is not None:
            tags.classifier_tags = ClassifierTags(**vars(tags.classifier_tags))
        if tags.regressor_tags is not None:
            tags.regressor_tags = RegressorTags(**vars(tags.regressor_tags))
        return tags

    # Rows ------------------------------------------------------------------------------

    def _prepared_for_fit(self, X: Any, sample_weight: Any) -> Any:
        check_names(X, self.feature_names)
        self._coded = self._coded_columns(X)
        return self._rows_for_library(X)

    def _coded_columns(self, X: Any) -> np.ndarray | None:
        table = X if hasattr(X, "iloc") else np.asarray(X)
        if table.ndim != 2:
            return None  # it will be refused
        coded = coded_columns(table, self.feature_types)
        return coded if coded.any() else None

    def _fitted_table(self) -> Table | None:
        """Return the labels of features that hold categories."""
        categories = {
            feature: terms.categories_of(self.bins_[feature])
            for feature, kind in enumerate(self.feature_types_in_)
            if kind != "continuous"
        }
        return Table(categories) if categories else None

    def _known_missing(self) -> Collection[int]:
        """Return the features that lacked values in `fit`."""
        return terms.features_with_missing(self.histogram_weights_)

    @property
    def _names_of_features(self) -> Any:
        return super()._names_of_features if self._has_names else None

    def _validated(self, X: Any) -> np.ndarray:
        """Return rows as features; made up names are not those of columns."""
        if not hasattr(self, "feature_names_in_") or self._has_names:
            return super()._validated(X)
        view = type(self).__new__(type(self))
        vars(view).update(vars(self))
        del view.feature_names_in_
        return super(AdditiveMixin, view)._validated(X)

    # Terms -----------------------------------------------------------------------------

    def _lower(
        self, X: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> None:
        """Lower the fitted model: its cuts are the edges of bins, as those of a twin."""
        self._bin_edges = None
        self._table = self._fitted_table()
        if self._has_fine_bins:
            self._keep_cuts_that_are_worth_it()
        coded = self._labelled()
        # All may be missing, until it is known of the rows.
        self._own_missing = frozenset(range(self.n_features_in_))
        rows = self._validated(X)
        missing = np.flatnonzero(np.isnan(rows).any(axis=0)).tolist()
        self._own_missing = frozenset([*coded, *missing, *self._known_missing()])
        self._quantize(rows, sample_weight)

    def _levels(self) -> list[tuple[int, int]]:
        """Return the levels of bins of features that hold numbers, where terms use them."""
        used = {
            self._at(feature, features)
            for features in self.term_features_
            for feature in features
            if self.feature_types_in_[feature] == "continuous"
        }
        return sorted(used)

    def _comparisons(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return what bins compare: all terms of as many features share them."""
        found = []
        for feature, level in self._levels():
            thresholds = terms.thresholds_of(self.bins_[feature][level - 1])
            found.append((np.full(len(thresholds), feature), thresholds))
        return found

    def _set_thresholds(self, thresholds: Sequence[np.ndarray]) -> None:
        """Move the cuts; bins that become one have the mean of their scores."""
        together: dict[tuple[int, int], np.ndarray] = {}
        for (feature, level), found in zip(self._levels(), thresholds, strict=True):
            cuts, levels = terms.cuts_of(found), self.bins_[feature]
            together[feature, level] = terms.averaging(levels[level - 1], cuts)
            levels[level - 1] = cuts
        self.term_scores_ = [
            terms.averaged(
                scores, weights, [together.get(self._at(f, features)) for f in features]
            )
            for features, scores, weights in zip(
                self.term_features_, self.term_scores_, self.bin_weights_, strict=True
            )
        ]

    def _keep_cuts_that_are_worth_it(self) -> None:
        """Move the cuts of terms of one feature to those that scores step most at."""
        levels, comparisons = self._levels(), self._comparisons()
        edges = [np.empty(0)] * self.n_features_in_
        for (feature, level), (_, thresholds) in zip(levels, comparisons, strict=True):
            if level == 1:
                edges[feature] = thresholds
        fine = BinEdges(edges)
        steps = self._steps_at_cuts(range(self.n_features_in_), 1)
        places, _ = self._worth(fine, Splits.of(steps, fine.n_finite, fine.nearest))
        chosen = fine.at(places)
        self._set_thresholds(
            [
                chosen.moved(*compared) if level == 1 else compared[1]
                for (_, level), compared in zip(levels, comparisons, strict=True)
            ]
        )

    def _thresholds_of_columns(
        self, columns: Sequence[int]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        return self._steps_at_cuts(columns, len(columns))

    def _steps_at_cuts(
        self, columns: Sequence[int], n_features: int
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the cuts of each column, and how far scores step there.

        Of terms of up to `n_features` features.
        """
        found = [(np.empty(0), np.empty(0))] * len(columns)
        for features, scores in zip(self.term_features_, self.term_scores_, strict=True):
            if len(features) > n_features:
                continue
            for axis, feature in enumerate(features):
                if self.feature_types_in_[feature] == "continuous":
                    _, level = self._at(feature, features)
                    cuts = self.bins_[feature][level - 1]
                    steps = terms.steps(scores, axis)
                    known, matter = found[columns[feature]]
                    found[columns[feature]] = (
                        np.append(known, terms.thresholds_of(cuts)),
                        np.append(matter, steps),
                    )
        return found

    def _at(self, feature: int, features: Sequence[int]) -> tuple[int, int]:
        """Return a feature and the level of bins that a term of several has of it."""
        return feature, min(len(self.bins_[feature]), len(features))

    def _state(self) -> list[Any]:
        """Return bins and scores of all terms, the intercept and the link."""
        bins = chain.from_iterable(self.bins_)
        return [
            *(tuple(b.items()) if isinstance(b, Mapping) else b for b in bins),
            *self.term_scores_,
            self.term_features_,
            self.feature_types_in_,
            np.ravel(self.intercept_),
            self.link_,
        ]

    def _export(self) -> tuple[Sequence[TreeArrays], np.ndarray, str]:
        if self.link_ not in _LINKS:
            refuse("link_", self.link_, sorted(_LINKS))
        base = np.ravel(self.intercept_).astype(np.float64)
        missing, coded = self._with_missing, self._labelled()
        axes = [
            [
                terms.axis_of(
                    feature,
                    self.bins_[feature],
                    len(features),
                    feature in missing,
                    coded[feature].labels if feature in coded else (),
                )
                for feature in features
            ]
            for features in self.term_features_
        ]
        self._check_states(axes)
        trees = []
        for along, scores in zip(axes, self.term_scores_, strict=True):
            values = scores.reshape(*scores.shape[: len(along)], len(base))
            trees.append(terms.tree(along, values))
        if self._outputs_are_terms:
            return (
                terms.beside_each_other(trees),
                np.zeros(len(trees) * len(base)),
                "identity",
            )
        if not trees:
            trees.append(terms.tree([], np.zeros(len(base))))
        return trees, base, _LINKS[self.link_]

    def _check_states(self, axes: Sequence[Sequence[terms.Axis]]) -> None:
        """Raise if terms of several features are too large.

        Raises
        ------
        ValueError
            That says what makes them smaller.
        """
        states = [prod(len(axis.places) for axis in of) for of in axes if len(of) > 1]
        if sum(states) > _MOST_STATES:
            raise ValueError(
                f"{len(states)} interactions of up to {max(states)} states are too many to "
                "be predicted encrypted: a table reads about 16, so that a row would take "
                "minutes. Fit with max_interaction_bins=6, or with fewer interactions; or "
                f"give {type(self).__name__}.from_sklearn_model n_bits=2 and rows X."
            )

    # Predictions -----------------------------------------------------------------------

    def _read(self, method: str, X: Any, init_score: Any, fhe: str | None) -> np.ndarray:
        """Return what a method makes of raw scores, in a mode."""
        if init_score is not None:
            refuse("init_score", type(init_score).__name__, [None])

        def exact(X: Any) -> np.ndarray:
            scores = self._predict_score(X)
            return scores.reshape(len(scores), -1) - self._base

        with self._mode(fhe):
            scores = self._scores(X, exact)
        (reading,) = self._readings()[method]
        found: np.ndarray = reading([scores], self.quantized_module_.clear_module)
        return found

    def predict(self, X: Any, init_score: Any = None, *, fhe: str | None = None) -> Any:
        """Predict.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        init_score : None
            Has to be None: scores that a model is added to are the client's to add, to what
            ``decision_function`` returns.
        fhe : {'disable', 'simulate', 'execute'}, optional
            How the terms are evaluated: with integers in clear, with the cryptography
            simulated, or on encrypted rows. By default the mode of `config_context`, which
            is ``"disable"`` outside of one.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
        """
        return self._read("predict", X, init_score, fhe)


class AdditiveRegressorMixin(AdditiveMixin, FHERegressorMixin):
    """For the regressor of interpret."""

    def _readings(self) -> dict[str, list[Reading]]:
        return {"predict": [Reading(end=True, form="vector")]}


class AdditiveClassifierMixin(AdditiveMixin, FHEClassifierMixin):
    """For the classifier of interpret."""

    classes_: np.ndarray

    def _readings(self) -> dict[str, list[Reading]]:
        one = len(self._base) == 1
        labels = Labels("above" if one else "largest", labels=self.classes_)
        form = "vector" if one else "table"
        return {
            "decision_function": [Reading(shift=self._base, form=form)],
            "predict": [Reading(shift=self._base, labels=labels)],
            "predict_proba": [Reading(end=True)],
        }

    def predict_proba(
        self, X: Any, init_score: Any = None, *, fhe: str | None = None
    ) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        init_score : None
            As in `predict`.
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._read("predict_proba", X, init_score, fhe)

    def decision_function(
        self, X: Any, init_score: Any = None, *, fhe: str | None = None
    ) -> np.ndarray:
        """Return the raw scores.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        init_score : None
            As in `predict`.
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, positive means ``classes_[1]``.
        """
        return self._read("decision_function", X, init_score, fhe)
