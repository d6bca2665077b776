"""The text that LightGBM writes models as."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fhe_estimators._boosting import places_of_bits
from fhe_estimators._fit import refuse
from fhe_estimators._tables import Categories

if TYPE_CHECKING:
    from fhe_estimators.core.frontends.trees import TreeArrays

#: Fields of ``decision_type``: whether a node compares categories, whether a missing value
#: goes left, what is missing.
CATEGORICAL, MISSING_LEFT, MISSING = 1, 2, 12
ZERO_IS_MISSING, NAN_IS_MISSING = 4, 8
#: What the library writes for infinity.
ALMOST_INFINITE = 1e300


def fields(text: str) -> dict[str, str]:
    """Return the fields of a part of a model's text by name."""
    parts = (line.partition("=") for line in text.splitlines())
    return {name: value for name, _, value in parts}


def trees_of(text: str) -> list[dict[str, str]]:
    """Return the fields (name to text) of each tree in a model's text."""
    trees = [fields(tree) for tree in re.findall(r"^Tree=\d+\n(?:.+\n)*", text, re.M)]
    for tree in trees:
        decisions = numbers(tree, "decision_type", np.int64)
        if ((decisions & MISSING) == ZERO_IS_MISSING).any():
            refuse("zero_as_missing", True, [False])
        if tree["is_linear"] != "0":
            refuse("linear_tree", True, [False])
    return trees


def numbers(tree: dict[str, str], name: str, dtype: type = np.float64) -> np.ndarray:
    return np.array(tree[name].split(), dtype)


def thresholds_of(tree: dict[str, str]) -> np.ndarray:
    thresholds = numbers(tree, "threshold")
    return np.where(thresholds >= ALMOST_INFINITE, np.inf, thresholds)


def left_categories(tree: dict[str, str]) -> dict[int, list[int]]:
    """Return the categories that go left at each node that compares some."""
    decisions = numbers(tree, "decision_type", np.int64)
    nodes = np.flatnonzero(decisions & CATEGORICAL).tolist()
    if not nodes:
        return {}
    starts = numbers(tree, "cat_boundaries", np.int64)
    words, numbered = numbers(tree, "cat_threshold", np.int64), numbers(tree, "threshold")
    places = {node: int(numbered[node]) for node in nodes}
    return {
        node: places_of_bits(words[starts[place] : starts[place + 1]])
        for node, place in places.items()
    }


def tree_arrays(
    tree: dict[str, str],
    weights: np.ndarray,
    labelled: Mapping[int, Categories],
    takes_missing: bool,
) -> TreeArrays:
    """Return a tree: its inner nodes first, then its leaves, weighted for each output."""
    from fhe_estimators.core.frontends.trees import TreeArrays

    leaf_value = numbers(tree, "leaf_value")
    n_leaves, n_inner = len(leaf_value), len(leaf_value) - 1

    def filled(name: str, dtype: type, filling: float) -> np.ndarray:
        inner = numbers(tree, name, dtype)
        return np.append(inner, np.full(n_leaves, filling, dtype))

    # A negative child is the complement of the number of a leaf.
    left, right = (
        np.where(children < 0, n_inner + ~children, children)
        for children in (filled(f"{side}_child", np.int64, 0) for side in ("left", "right"))
    )
    left[n_inner:] = right[n_inner:] = -1
    value = np.zeros((n_inner + n_leaves, len(weights)))
    value[n_inner:] = leaf_value[:, np.newaxis] * weights
    feature = filled("split_feature", np.int64, -1)
    decisions = filled("decision_type", np.int64, 0)
    threshold = np.append(thresholds_of(tree), np.zeros(n_leaves))
    # Where nan is not missing it is zero.
    told = (decisions & MISSING) == NAN_IS_MISSING
    missing_left = np.where(told, decisions & MISSING_LEFT, threshold >= 0).astype(bool)
    missing_left &= (decisions & CATEGORICAL) == 0
    categories = {
        node: labelled[int(feature[node])].numbers_of(codes)
        for node, codes in left_categories(tree).items()
    }
    missing = missing_left if takes_missing else None
    return TreeArrays(feature, threshold, left, right, value, missing, categories)
