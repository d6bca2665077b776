"""CatBoost's models in its JSON format, and the trees in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import catboost
import numpy as np

if TYPE_CHECKING:
    from fhe_estimators.core.frontends.trees import TreeArrays

__all__ = [
    "document_of",
    "features_and_thresholds",
    "features_with_missing",
    "loaded",
    "moved",
    "tree_arrays",
]

_LARGEST = np.finfo(np.float32).max

Document = dict[str, Any]


def document_of(model: catboost.CatBoost) -> Document:
    """Return a fitted model in the library's JSON format, which it writes to files only."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        document: Document = json.loads(path.read_text(encoding="utf-8"))
    return document


def loaded(document: Document) -> catboost.CatBoost:
    """Return the model that is written in the library's JSON format."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return catboost.CatBoost().load_model(str(path), format="json")


def features_with_missing(document: Document) -> list[int]:
    """Return the features that lacked values when the model was fitted."""
    features = document["features_info"].get("float_features", ())
    return [entry["flat_feature_index"] for entry in features if entry["has_nans"]]


def tree_arrays(
    document: Document,
    with_missing: bool = False,
    leaves: Mapping[int, np.ndarray] | None = None,
) -> list[TreeArrays]:
    """Return the trees of a model, whose values are those that scores add up.

    With missing values they tell where these go: as if they were larger than all numbers,
    ``nan_mode='Max'``, or smaller. Of columns with categories it takes the `leaves` of each
    category, of shape (n_categories, n_trees).
    """
    from fhe_estimators.core.frontends.trees import TreeArrays

    scale, bias = document["scale_and_bias"]
    columns, arrays = _columns(document), []
    right_of_all = [
        entry["flat_feature_index"]
        for entry in document["features_info"].get("float_features", ())
        if entry["nan_value_treatment"] == "AsTrue"
    ]
    for number, nodes in enumerate(_trees(document)):
        feature, threshold = _comparisons(nodes, columns)
        categories: dict[int, list[int]] = {}
        turned: list[int] = []
        for place, node in enumerate(nodes):
            column = node.get("split", {}).get("column")
            if column is not None and leaves is not None:
                feature[place] = column
                goes_left = (leaves[column][:, number] >> node["level"]) & 1 == 0
                if 2 * goes_left.sum() > len(goes_left):
                    # As few as possible are compared with.
                    goes_left = ~goes_left
                    turned.append(place)
                categories[place] = np.flatnonzero(goes_left).tolist()
        value = np.zeros((len(nodes), len(bias)))
        for place, node in enumerate(nodes):
            if "value" in node:
                value[place] = scale * np.asarray(node["value"])
        left, right = (
            np.array([node.get(side, -1) for node in nodes]) for side in ("left", "right")
        )
        left[turned], right[turned] = right[turned], left[turned]
        missing_left = ~np.isin(feature, right_of_all) if with_missing else None
        arrays.append(
            TreeArrays(feature, threshold, left, right, value, missing_left, categories)
        )
    return arrays


def features_and_thresholds(document: Document) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the feature of each node of each tree, -1 for leaves, and its threshold.

    A row goes left if it is not greater: both are floats of 32 bits.
    """
    columns = _columns(document)
    return [_comparisons(nodes, columns) for nodes in _trees(document)]


def moved(document: Document, thresholds: Sequence[np.ndarray]) -> Document:
    """Return a model with other thresholds, those of the nodes of each tree.

    Parameters
    ----------
    document : dict
        It is changed.
    thresholds : sequence of ndarray of float64
        As from `features_and_thresholds`. The nodes of a symmetric tree that made the same
        comparison still do. Rows are floats of 32 bits, so that a threshold may be the
        float below, and where all rows go left, the largest one.
    """
    splits = []
    for nodes, threshold in zip(_trees(document), thresholds, strict=True):
        for node, number in zip(nodes, _floats_below(threshold), strict=True):
            if "split" in node and "column" not in node["split"]:
                node["split"]["border"] = number
                splits.append(node["split"])
    # A split is known by its place among the borders of all features; those of categories
    # come later.
    places: dict[tuple[int, float], int] = {}
    features = document["features_info"].get("float_features", [])
    before = sum(len(feature["borders"]) for feature in features)
    for feature in features:
        index = feature["feature_index"]
        borders = {s["border"] for s in splits if s["float_feature_index"] == index}
        feature["borders"] = sorted(borders)
        places |= {(index, b): len(places) + n for n, b in enumerate(sorted(borders))}
    for split in splits:
        split["split_index"] = places[split["float_feature_index"], split["border"]]
    for tree in document.get("oblivious_trees", ()):
        for split in tree["splits"] or ():
            if "column" in split:
                split["split_index"] += len(places) - before
    return document


def _floats_below(threshold: np.ndarray) -> list[float]:
    clipped = np.clip(threshold, -_LARGEST, _LARGEST)
    floats = clipped.astype(np.float32)
    below = np.nextafter(floats, np.float32(-np.inf))
    found: list[float] = np.where(floats > clipped, below, floats).tolist()
    return found


def _columns(document: Document) -> Mapping[int, int]:
    """Return the column of the rows by the number of a numeric feature."""
    features = document["features_info"].get("float_features", ())
    return {entry["feature_index"]: entry["flat_feature_index"] for entry in features}


def _comparisons(
    nodes: Sequence[Mapping[str, Any]], columns: Mapping[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    feature = np.full(len(nodes), -1)
    threshold = np.zeros(len(nodes))
    for place, node in enumerate(nodes):
        if "split" in node and "column" not in node["split"]:
            feature[place] = columns[node["split"]["float_feature_index"]]
            threshold[place] = np.float32(node["split"]["border"])
    return feature, threshold


def _trees(document: Document) -> Iterator[list[dict[str, Any]]]:
    """Yield the nodes of each tree, the root first, with the places of their children.

    A node has a ``split``, which is the library's own object, or a ``value``.
    """
    n_outputs = len(document["scale_and_bias"][1])
    for tree in document.get("oblivious_trees", ()):
        yield _symmetric(tree, n_outputs)
    for tree in document.get("trees", ()):
        yield _flattened(tree)


def _symmetric(tree: Mapping[str, Any], n_outputs: int) -> list[dict[str, Any]]:
    """Return the nodes of a tree that makes the same comparison at all nodes of a level.

    The first comparison is the lowest bit of the number of a leaf.
    """
    splits = tree["splits"] or ()
    nodes: list[dict[str, Any]] = []
    for level, split in enumerate(splits):
        first, width = len(nodes), len(nodes) + 1
        for place in range(first, first + width):
            sides = {"left": 2 * place + 1, "right": 2 * place + 2}
            nodes.append({"split": split, "level": level, **sides})
    numbers = np.zeros(1, np.int64)
    for level in range(len(splits)):
        numbers = (numbers[:, np.newaxis] + [0, 1 << level]).ravel()
    values = np.reshape(tree["leaf_values"], (len(numbers), n_outputs))
    return nodes + [{"value": value} for value in values[numbers]]


def _flattened(tree: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the nodes of a tree that is given as a node with nodes in it."""
    nodes: list[dict[str, Any]] = [{}]
    pending: list[tuple[int, Mapping[str, Any]]] = [(0, tree)]
    while pending:
        place, given = pending.pop()
        if "split" not in given:
            nodes[place]["value"] = given["value"]
            continue
        nodes[place]["split"] = given["split"]
        for side in ("left", "right"):
            nodes[place][side] = len(nodes)
            pending.append((len(nodes), given[side]))
            nodes.append({})
    return nodes
