"""What the estimators of LightGBM share: trees from and to its text, raw scores."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
from sklearn.base import is_classifier
from sklearn.utils._param_validation import StrOptions

from fhe_estimators._boosting import LibraryMixin
from fhe_estimators._columns import with_underscores
from fhe_estimators._fit import refuse
from fhe_estimators._readings import Labels, Reading
from fhe_estimators._tables import (
    Categories,
    Table,
    categorical_columns,
    check_is_table,
    n_columns,
)
from fhe_estimators._tree_based import TREE_CONSTRAINTS
from fhe_estimators.base import FHEClassifierMixin, FHERegressorMixin
from fhe_estimators.lightgbm._objectives import OBJECTIVES, link_and_factor, scaled
from fhe_estimators.lightgbm._text import (
    ALMOST_INFINITE,
    CATEGORICAL,
    MISSING,
    NAN_IS_MISSING,
    fields,
    numbers,
    thresholds_of,
    tree_arrays,
    trees_of,
)

if TYPE_CHECKING:
    from fhe_estimators.core.frontends.trees import TreeArrays

#: The parameter that lists categorical features, and its other names.
_CATEGORICAL_FEATURES = (
    "categorical_feature",
    "categorical_features",
    "categorical_column",
    "cat_feature",
    "cat_column",
)
#: Values of it that name none.
_NO_FEATURES: tuple[Any, ...] = (None, "auto", "", [], ())


class BoosterMixin(LibraryMixin):
    """For the estimators of LightGBM; stands left of them, `RawScoreModel` right.

    After `fit` the thresholds of the booster are edges of bins, too.
    """

    _feature_dtype = np.float64
    _fhe_constraints = _parameter_constraints = {
        **TREE_CONSTRAINTS,
        "objective": [StrOptions(set(OBJECTIVES)), None],
    }

    booster_: lightgbm.Booster
    best_iteration_: int
    #: Rounds whose mean predictions come from; 1 if they come from the sum.
    _n_averaged: int
    _takes_spaces = False
    #: What was called categorical at `fit`, and the columns that were of a category type.
    _called_categorical: Sequence[Any] = ()
    _labelled_columns: tuple[int, ...] = ()

    def _process_params(self, stage: str) -> dict[str, Any]:
        params = super()._process_params(stage)  # type: ignore[misc]
        if not {"verbose", "verbosity"} & params.keys():
            params["verbosity"] = -1
        return {name: params[name] for name in params.keys() - TREE_CONSTRAINTS.keys()}

    def _validated(self, X: Any) -> np.ndarray:
        return super()._validated(with_underscores(X))

    def _text(self) -> str:
        return self.booster_.model_to_string(num_iteration=-1)

    # Which columns hold categories ----------------------------------------------------

    def _heed(self, arguments: Mapping[str, Any]) -> None:
        """Remember the features that are called categorical when `fit` is called."""
        given = {**self.get_params(), **arguments}  # type: ignore[attr-defined]
        found = (given.get(name) for name in _CATEGORICAL_FEATURES)
        named: Any = next((value for value in found if value not in _NO_FEATURES), ())
        if isinstance(named, str):
            named = named.removeprefix("name:").split(",")
        self._called_categorical = [named] if isinstance(named, int) else list(named)

    def _coded_columns(self, X: Any) -> np.ndarray | None:
        """Return the columns of a category type, and those that are called categorical."""
        self._note_columns(X)
        coded = np.zeros(n_columns(X), bool)
        coded[list(self._labelled_columns)] = True
        names = [str(name).replace(" ", "_") for name in getattr(X, "columns", ())]
        for called in self._called_categorical:
            text = str(called).replace(" ", "_")
            if text in names and not isinstance(called, int):
                coded[names.index(text)] = True
            elif text.isdecimal() and int(text) < len(coded):
                coded[int(text)] = True
            # The library has a message for what it does not find.
        return coded if coded.any() else None

    def _note_columns(self, X: Any) -> None:
        found = categorical_columns(X)
        if found:
            check_is_table(X, type(self).__name__)
        self._labelled_columns = tuple(found)

    def _fitted_table(self) -> Table | None:
        """Return the categories that the booster knows."""
        infos = fields(self._text().partition("\n\n")[0])["feature_infos"].split()
        labels = self.booster_.pandas_categorical or []
        columns = getattr(self, "_labelled_columns", ())
        of_numbers = {n: info for n, info in enumerate(infos) if not info.startswith("[")}
        of_numbers = {n: info for n, info in of_numbers.items() if info != "none"}
        if len(columns) != len(labels):
            columns = tuple(of_numbers)
        if len(columns) != len(labels) and labels:
            raise ValueError(
                f"The model was fitted on a data frame with {len(labels)} columns of type "
                "category, and does not know which they are: pass a data frame like it as "
                "X."
            )
        categories = {}
        for number, info in of_numbers.items():
            codes = sorted(code for code in map(int, info.split(":")) if code >= 0)
            categories[number] = Categories(codes, truncates=True)
        if labels:
            categories |= {
                column: Categories(of_column, arrays_hold_codes=True)
                for column, of_column in zip(columns, labels, strict=True)
            }
        return Table(categories) if categories else None

    def _known_missing(self) -> Collection[int]:
        """Return the features whose nodes say what to do with nan."""
        found: set[int] = set()
        for tree in trees_of(self._text()):
            decisions = numbers(tree, "decision_type", np.int64)
            at = (decisions & MISSING) == NAN_IS_MISSING
            found.update(numbers(tree, "split_feature", np.int64)[at].tolist())
        return found

    # The trees -------------------------------------------------------------------------

    def _comparisons(self) -> list[tuple[np.ndarray, np.ndarray]]:
        found = []
        for tree in trees_of(self._text()):
            feature, threshold = (
                numbers(tree, "split_feature", np.int64),
                thresholds_of(tree),
            )
            of_categories = numbers(tree, "decision_type", np.int64) & CATEGORICAL
            found.append((np.where(of_categories, -1, feature), threshold))
        return found

    def _set_thresholds(self, thresholds: Sequence[np.ndarray]) -> None:
        """Load the booster again, with other thresholds."""
        # LightGBM has no infinity either.
        limit = ALMOST_INFINITE
        finite = (np.clip(threshold, -limit, limit).tolist() for threshold in thresholds)
        lines = (f"threshold={' '.join(map(repr, numbers))}" for numbers in finite)
        text = self._text()
        text = re.sub(r"^threshold=.*$", lambda _: next(lines), text, flags=re.MULTILINE)
        # They are not needed, and no longer right.
        text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)
        self.booster_.model_from_string(text)

    def _state(self) -> list[Any]:
        """Return the trees as text, and how many rounds of them count."""
        trees = self._text().partition("end of trees")[0]
        return [trees.encode(), self.best_iteration_]

    def _export(self) -> tuple[Sequence[TreeArrays], np.ndarray, Any]:
        text = self._text()
        head = fields(text.partition("\n\n")[0])
        trees, n_outputs = trees_of(text), int(head["num_tree_per_iteration"])
        if self.best_iteration_ > 0:
            trees = trees[: self.best_iteration_ * n_outputs]
        self._n_averaged = len(trees) // n_outputs if "average_output" in head else 1
        weight, labelled = 1 / self._n_averaged, self._labelled()
        arrays, base = [], np.zeros(n_outputs)
        for number, tree in enumerate(trees):
            weights = weight * (np.arange(n_outputs) == number % n_outputs)
            arrays.append(tree_arrays(tree, weights, labelled, bool(self._with_missing)))
            if len(arrays[-1].value) == 1:
                # A constant: the client adds it, exactly.
                base += arrays[-1].value[0]
                arrays[-1].value[:] = 0
        # That of a function of the user's own has no name.
        named = "custom" if is_classifier(self) else "regression"
        link, factor = link_and_factor(head.get("objective", named))
        if link == "expit" and is_classifier(self) and n_outputs == 1:
            link = "sigmoid"
        return arrays, base, link if factor == 1 else scaled(link, factor)

    def predict(
        self,
        X: Any,
        raw_score: bool = False,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        validate_features: bool = False,
        *,
        fhe: str | None = None,
    ) -> np.ndarray:
        """Predict.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        raw_score : bool, default=False
            Whether to return the raw score.
        start_iteration : int, default=0
            Only the rounds that `fit` chose, from 0 on, are encrypted.
        num_iteration : int, optional
            As `start_iteration`.
        pred_leaf, pred_contrib : bool, default=False
            Have to be False: ``booster_.predict`` has them, in clear.
        validate_features : bool, default=False
            Has no effect: names of features are always compared.
        fhe : {'disable', 'simulate', 'execute'}, optional
            How the trees are evaluated: with integers in clear, with the cryptography
            simulated, or on encrypted rows. By default the mode of `config_context`, which
            is ``"disable"`` outside of one.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        return self._in_mode(
            "predict",
            fhe,
            X,
            raw_score,
            start_iteration,
            num_iteration,
            pred_leaf,
            pred_contrib,
        )


class BoosterRegressorMixin(BoosterMixin, FHERegressorMixin):
    """For the regressor of LightGBM."""

    # What a function of the user's own leads to is predicted as it is.
    _fhe_constraints = {
        **BoosterMixin._fhe_constraints,
        "objective": [*BoosterMixin._fhe_constraints["objective"], callable],
    }

    def _readings(self) -> dict[str, list[Reading]]:
        form = "vector" if len(self._base) == 1 else "table"
        return {"predict": [Reading(end=True, form=form)]}


class BoosterClassifierMixin(BoosterMixin, FHEClassifierMixin):
    """For the classifier of LightGBM."""

    classes_: np.ndarray

    def _readings(self) -> dict[str, list[Reading]]:
        # Raw scores are sums, where probabilities come from means.
        raw = Reading(shift=self._base, factor=float(self._n_averaged))
        form = "vector" if len(self._base) == 1 else "table"
        labels = Labels("largest", labels=self.classes_)
        return {
            "decision_function": [replace(raw, form=form)],
            "predict": [Reading(end=True, labels=labels)],
            "predict_proba": [Reading(end=True)],
        }

    def predict_proba(
        self,
        X: Any,
        raw_score: bool = False,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        validate_features: bool = False,
        *,
        fhe: str | None = None,
    ) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        raw_score : bool, default=False
            Whether to return the raw scores.
        start_iteration : int, default=0
            As in `predict`.
        num_iteration : int, optional
            As in `predict`.
        pred_leaf, pred_contrib : bool, default=False
            As in `predict`.
        validate_features : bool, default=False
            As in `predict`.
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self._in_mode(
            "predict_proba",
            fhe,
            X,
            raw_score,
            start_iteration,
            num_iteration,
            pred_leaf,
            pred_contrib,
        )

    def decision_function(
        self,
        X: Any,
        *,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        validate_features: bool = False,
        fhe: str | None = None,
    ) -> np.ndarray:
        """Return the raw scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        start_iteration : int, default=0
            As in `predict`.
        num_iteration : int, optional
            As in `predict`.
        validate_features : bool, default=False
            As in `predict`.
        fhe : {'disable', 'simulate', 'execute'}, optional
            As in `predict`.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, positive means ``classes_[1]``.
        """
        return self._in_mode(
            "decision_function",
            fhe,
            X,
            start_iteration=start_iteration,
            num_iteration=num_iteration,
        )


class RawScoreModel(lightgbm.LGBMModel):
    """Predictions of encrypted trees; the library's class, which calls it, stands left."""

    def fit(
        self, X: Any, y: Any, *, eval_set: Any = None, eval_X: Any = None, **options: Any
    ) -> Any:
        if eval_set is not None:
            pairs = [eval_set] if isinstance(eval_set, tuple) else eval_set
            eval_set = [(self._snapped_like(rows), target) for rows, target in pairs]
        if isinstance(eval_X, tuple):
            eval_X = tuple(map(self._snapped_like, eval_X))
        elif eval_X is not None:
            eval_X = self._snapped_like(eval_X)
        return super().fit(X, y, eval_set=eval_set, eval_X=eval_X, **options)

    def predict(
        self,
        X: Any,
        raw_score: bool = False,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        validate_features: bool = False,
    ) -> np.ndarray:
        if pred_leaf or pred_contrib:
            refuse("pred_leaf" if pred_leaf else "pred_contrib", True, [False])
        if start_iteration > 0:
            refuse("start_iteration", start_iteration, [0])
        if num_iteration is not None:
            refuse("num_iteration", num_iteration, [None])

        def exact(X: Any) -> np.ndarray:
            scores = super(RawScoreModel, self).predict(X, raw_score=True)
            return scores.reshape(len(scores), -1) / self._n_averaged - self._base

        scores = self._scores(X, exact)
        if raw_score:
            # The library's raw scores are sums, of random forests too.
            outputs = self._n_averaged * (scores + self._base)
        else:
            outputs = self.quantized_module_.clear_module(scores)
        return outputs[:, -1] if len(self._base) == 1 else outputs
