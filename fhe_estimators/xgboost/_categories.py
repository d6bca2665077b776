"""Which columns XGBoost takes for categories, and what it takes for a missing value."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fhe_estimators._columns import categories_refused, names_of
from fhe_estimators._tables import (
    Categories,
    Table,
    categorical_columns,
    check_is_table,
    is_category,
    n_columns,
    with_nan,
)
from fhe_estimators.xgboost._document import labels_of, model_of, right_categories, trees_of

if TYPE_CHECKING:
    import xgboost


class CategoriesMixin:
    """For the estimators of XGBoost, left of what they share."""

    feature_types: Any
    enable_categorical: bool
    missing: float
    get_booster: Callable[[], xgboost.Booster]
    _document: Callable[[], dict[str, Any]]

    @property
    def _missing_number(self) -> float | None:
        return None if np.isnan(self.missing) else float(self.missing)

    def _coded_columns(self, X: Any) -> np.ndarray | None:
        """Return the columns of a category type, or that `feature_types` says are."""
        coded = np.zeros(n_columns(X), bool)
        types = self.feature_types
        if types is not None and not isinstance(types, str):
            given = np.array([kind == "c" for kind in types])
            coded |= given if len(given) == len(coded) else False
        coded[categorical_columns(X)] = True
        if coded.any() and not self.enable_categorical:
            raise ValueError(
                f"{categories_refused(self, names_of(X, coded))} Or set "
                "enable_categorical=True: their categories are compared then."
            )
        if not coded.any():
            return None
        self._note_columns(X, coded)
        return coded

    def _note_columns(self, X: Any, coded: np.ndarray | None = None) -> None:
        """Remember the numbers in columns that hold numbers of categories."""
        if coded is None:
            types = self.get_booster().feature_types or []
            coded = np.array([kind == "c" for kind in types], bool)
        check_is_table(X, type(self).__name__)
        self._codes_seen: dict[int, tuple[int, ...]] = {}
        for column in np.flatnonzero(coded).tolist():
            is_frame = hasattr(X, "iloc")
            values = X.iloc[:, column] if is_frame else np.asarray(X)[:, column]
            if is_category(values.dtype):
                continue
            numbers = with_nan(np.asarray(values, np.float64), self._missing_number)
            seen = np.unique(numbers[np.isfinite(numbers)].astype(np.int64))
            self._codes_seen[column] = tuple(seen[seen >= 0].tolist())

    def _fitted_table(self) -> Table | None:
        """Return the categories that the booster knows."""
        types = self.get_booster().feature_types or []
        columns = [column for column, kind in enumerate(types) if kind == "c"]
        if not columns:
            return None
        learner = self._document()["learner"]
        labels = model_of(learner).get("cats", {}).get("enc") or [{}] * len(types)
        trees, *_ = trees_of(learner)
        categories = {}
        for column in columns:
            known = labels_of(labels[column])
            if known:
                # The library raises as well.
                categories[column] = Categories(known, "error", arrays_hold_codes=True)
                continue
            # Whatever goes right at no node goes left at all.
            used = {
                code
                for tree in trees
                for node, codes in right_categories(tree).items()
                if tree["split_indices"][node] == column
                for code in codes
            }
            seen = getattr(self, "_codes_seen", {}).get(column, ())
            codes = sorted(used.union(seen))
            categories[column] = Categories(codes, "other", truncates=True)
        return Table(categories)
