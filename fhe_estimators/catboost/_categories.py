"""Categories of CatBoost: which of them each split sends right.

A split asks whether a category is a certain one, or whether its target statistic, a number
that depends on nothing but the category, lies above a border. Either way it divides the
categories in two. The library says itself which ones lie where: the number of the leaf of a
symmetric tree has a bit for each of its splits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import catboost
import numpy as np

from fhe_estimators._columns import columns_with_missing
from fhe_estimators._fit import refuse
from fhe_estimators._tables import (
    Categories,
    Table,
    TableRows,
    check_is_table,
    is_category,
    n_columns,
)

__all__ = ["UNKNOWN", "CategoriesMixin", "labels_of", "resolved"]

Document = dict[str, Any]

#: What stands for no label among the hashes of labels.
_NO_HASH = str(2**64 - 1)
#: A text that is no label.
UNKNOWN = "\x00 none of the labels"


def labels_of(values: Any) -> list[str]:
    """Return the labels of a column, as texts; those that are missing are left out."""
    found = values.tolist()
    if is_category(getattr(values, "dtype", None)):
        # Rows of a twin need not hold all.
        found = [*found, *values.cat.categories.tolist()]
    texts = Categories([], as_texts=True).texts(found)
    return sorted(set(texts))


def resolved(document: Document) -> Document:
    """Return a model whose splits of categories say the column that they look at.

    Parameters
    ----------
    document : dict
        It is changed.

    Raises
    ------
    ValueError
        If a split looks at several columns together, or a tree is not symmetric.
    """
    columns = _columns_of(document)
    if not columns:
        return document
    if "oblivious_trees" not in document:
        refuse("grow_policy", "of trees that compare categories", ["SymmetricTree"])
    statistics = _statistics(document)
    for tree in document["oblivious_trees"]:
        for split in tree["splits"] or ():
            if split["split_type"] == "OneHotFeature":
                split["column"] = columns[split["cat_feature_index"]]
            elif split["split_type"] == "OnlineCtr":
                elements = statistics[split["split_index"]]["elements"]
                kinds = {element["combination_element"] for element in elements}
                if len(elements) > 1 or kinds != {"cat_feature_value"}:
                    refuse("max_ctr_complexity", len(elements), [1])
                split["column"] = columns[elements[0]["cat_feature_index"]]
    return document


def _columns_of(document: Document) -> Mapping[int, int]:
    """Return the column of each feature that holds categories, by the feature's number."""
    return {
        entry["feature_index"]: entry["flat_feature_index"]
        for entry in document["features_info"].get("categorical_features", ())
    }


def _statistics(document: Document) -> Mapping[int, Any]:
    """Return the statistic that each split compares, by its place among all splits."""
    info = document["features_info"]
    places_of = {"float_features": "borders", "categorical_features": "values"}
    place = sum(
        len(entry.get(name, ()))
        for kind, name in places_of.items()
        for entry in info.get(kind, ())
    )
    found: dict[int, Any] = {}
    for statistic in info.get("ctrs", ()):
        for border in statistic["borders"]:
            found[place], place = {**statistic, "border": border}, place + 1
    return found


def n_known_labels(document: Document) -> Mapping[int, int]:
    """Return how many labels the statistics of each column know at least."""
    found: dict[int, int] = {}
    for statistic in document["features_info"].get("ctrs", ()):
        table = document["ctr_data"].get(statistic["identifier"])
        if len(statistic["elements"]) == 1 and table is not None:
            hashes = table["hash_map"][:: table["hash_stride"]]
            number = len(set(hashes) - {_NO_HASH})
            found[statistic["elements"][0]["cat_feature_index"]] = number
    columns = _columns_of(document)
    return {columns[feature]: number for feature, number in found.items()}


def without_label(document: Document, leaves: Mapping[int, np.ndarray]) -> list[int]:
    """Return the columns of which a split asks for a label that is not among the known.

    Parameters
    ----------
    document : dict
        See `resolved`.
    leaves : mapping of int to ndarray
        See `divided`.
    """
    found = set()
    for number, tree in enumerate(document.get("oblivious_trees", ())):
        for level, split in enumerate(tree["splits"] or ()):
            if split["split_type"] == "OneHotFeature":
                goes_right = (leaves[split["column"]][:, number] >> level) & 1
                if not goes_right.any():
                    found.add(split["column"])
    return sorted(found)


def divided(
    leaves_of: Callable[[Any], np.ndarray],
    labels: Mapping[int, Sequence[str]],
    names: Sequence[str],
) -> Mapping[int, np.ndarray]:
    """Return the leaves of rows that differ in one category.

    Parameters
    ----------
    leaves_of : callable
        Returns the number of the leaf of each row in each tree, of shape
        (n_rows, n_trees).
    labels : mapping of int to sequence of str
        Of the columns that hold categories.
    names : sequence of str
        Of all columns.

    Returns
    -------
    leaves : mapping of int to ndarray of int of shape (n_labels + 1, n_trees)
        The last row is that of a label that is not known.
    """
    found = {}
    for column, known in labels.items():
        probes = [*known, UNKNOWN]
        others = [UNKNOWN if number in labels else 0.0 for number in range(len(names))]
        values: list[list[Any]] = [[other] * len(probes) for other in others]
        values[column] = probes
        rows = np.array(values, dtype=object).T
        pool = catboost.Pool(rows, cat_features=sorted(labels), feature_names=list(names))
        found[column] = np.asarray(leaves_of(pool)).astype(np.int64)
    return found


class CategoriesMixin:
    """For the estimators of CatBoost, left of what they share."""

    n_features_in_: int
    feature_names_: list[str]
    calc_leaf_indexes: Callable[[Any], np.ndarray]
    get_cat_feature_indices: Callable[[], list[int]]
    _document: Callable[[], Document]
    _init_params: dict[str, Any]
    _labelled: Callable[[], dict[int, Categories]]
    _value_of: Callable[[str], Any]
    #: What is called categories at `fit`.
    _called_categorical: Any = None
    #: The labels of each column that holds categories, as texts.
    _labels: Mapping[int, list[str]] = MappingProxyType({})

    def _heed(self, arguments: Mapping[str, Any]) -> None:
        """Remember which columns are called categories when `fit` is called."""
        self._called_categorical = arguments.get("cat_features")

    def _coded_columns(self, X: Any) -> np.ndarray | None:
        """Return the columns that are called categories, to `fit` or the constructor."""
        called = self._called_categorical
        called = self._init_params.get("cat_features") if called is None else called
        self._labels = {}
        if called is None or not np.size(called):
            return None
        names = [str(name) for name in getattr(X, "columns", ())]
        coded = np.zeros(n_columns(X), bool)
        for which in np.ravel(np.asarray(called, dtype=object)).tolist():
            place = names.index(which) if which in names else which
            if not isinstance(place, int) or not -1 < place < len(coded):
                refuse("cat_features", which, names or [f"0 to {len(coded) - 1}"])
            coded[place] = True
        policy = self._value_of("grow_policy")
        if policy not in (None, "SymmetricTree"):
            refuse("grow_policy", policy, ["SymmetricTree", None])
        self._note_labels(X, np.flatnonzero(coded).tolist())
        return coded

    def _note_columns(self, X: Any) -> None:
        self._note_labels(X, self.get_cat_feature_indices())

    def _note_labels(self, X: Any, columns: Sequence[int]) -> None:
        """Remember the labels of columns; the model knows numbers made of them."""
        if columns:
            check_is_table(X, type(self).__name__)
        found = {}
        for column in columns:
            frame = hasattr(X, "iloc")
            values = X.iloc[:, column] if frame else np.asarray(X, dtype=object)[:, column]
            if columns_with_missing(np.asarray(values, dtype=object)[:, np.newaxis]):
                name = X.columns[column] if frame else column
                raise ValueError(
                    f"Column {name!r} of X lacks labels, for which CatBoost has no "
                    "category: fill them in, for example with .fillna('missing')."
                )
            found[column] = labels_of(values)
        self._labels = found

    def _fitted_table(self) -> Table | None:
        """Return the labels of columns that hold categories."""
        columns = self.get_cat_feature_indices()
        if not columns:
            return None
        known = n_known_labels(self._document())
        categories = {}
        for column in columns:
            labels = self._labels.get(column, [])
            if len(labels) < known.get(column, 1):
                raise self._labels_asked_for(column)
            categories[column] = Categories(labels, "other", as_texts=True)
        return Table(categories)

    def _labels_asked_for(self, column: int) -> ValueError:
        """Return the error that says that not all labels of a column are known."""
        name = self.feature_names_[column]
        return ValueError(
            f"The model has numbers made of its labels of column {name!r}, not the labels, "
            "and not all were given: pass rows X that hold all labels of those that it was "
            "fitted on."
        )

    def _table_rows(self) -> TableRows | None:
        rows: TableRows | None = super()._table_rows()  # type: ignore[misc]
        if rows is None or rows.table is None:
            return rows
        # The library refuses missing labels.
        missing = [column for column in rows.missing if column not in rows.table.categories]
        return replace(rows, missing=tuple(missing))

    def _leaves_of_labels(self, document: Document) -> Mapping[int, np.ndarray]:
        """Return the leaves of rows that differ in one category, see `divided`.

        Raises
        ------
        ValueError
            If a split asks for a label that is not known.
        """
        labels = {column: found.labels for column, found in self._labelled().items()}
        leaves = divided(self.calc_leaf_indexes, labels, self.feature_names_)
        for column in without_label(document, leaves):
            raise self._labels_asked_for(column)
        return leaves
