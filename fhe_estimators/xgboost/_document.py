"""The JSON that XGBoost writes boosters as."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from fhe_estimators._fit import refuse

_LARGEST = np.finfo(np.float32).max


def model_of(learner: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a learner that holds its trees."""
    booster = learner["gradient_booster"]
    if booster["name"] not in ("gbtree", "dart"):
        refuse("booster", booster["name"], ["gbtree", "dart"])
    model: dict[str, Any] = booster.get("gbtree", booster)["model"]
    return model


def trees_of(learner: dict[str, Any]) -> tuple[list[Any], list[float], list[int]]:
    """Return the trees, the weight of each, and the index of the output that it adds to."""
    model = model_of(learner)
    trees = model["trees"]
    for tree in trees:
        if int(tree["tree_param"]["size_leaf_vector"]) > 1:
            refuse("multi_strategy", "multi_output_tree", ["one_output_per_tree"])
    weights = learner["gradient_booster"].get("weight_drop", [1.0] * len(trees))
    return trees, weights, model["tree_info"]


def nodes_of(tree: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the feature that each node compares with a threshold, or -1, and that.

    A row goes left if it is less than the float `t` in the file: if it is not greater
    than the middle of `t` and the float before.
    """
    other = (np.array(tree["left_children"]) < 0) | np.array(tree["split_type"], bool)
    conditions = np.array(tree["split_conditions"], np.float32)
    below = np.nextafter(conditions, np.float32(-np.inf))
    threshold = below.astype(np.float64) / 2 + conditions.astype(np.float64) / 2
    return np.where(other, -1, tree["split_indices"]), threshold


def right_categories(tree: dict[str, Any]) -> dict[int, list[int]]:
    """Return the categories that go right at each node that compares some."""
    starts, sizes = tree["categories_segments"], tree["categories_sizes"]
    nodes = zip(tree["categories_nodes"], starts, sizes, strict=True)
    return {
        node: tree["categories"][start : start + size]
        for node, start, size in nodes
        if tree["left_children"][node] >= 0
    }


def labels_of(encoded: dict[str, Any]) -> list[Any]:
    """Return the labels of a column, as the library's JSON format holds them."""
    values, offsets = encoded.get("values", []), encoded.get("offsets")
    if offsets is None:
        return list(values)
    text = bytes(value & 255 for value in values)
    return [text[start:stop].decode() for start, stop in pairwise(offsets)]


def next_float(edges: np.ndarray) -> np.ndarray:
    """Return the first float greater than each edge: rows are compared as floats."""
    floats = np.clip(edges, -_LARGEST, _LARGEST).astype(np.float32)
    with np.errstate(over="ignore"):  # the next one after the largest is infinity
        after = np.nextafter(floats, np.float32(np.inf))
    return np.where(floats > edges, floats, after)
