"""Trees of ai.onnx.ml as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fhe_estimators.exceptions import UnsupportedOperatorError

_MODES = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")


class TreeData(NamedTuple):
    """A tree in arrays, one entry for each node, the root first.

    A row goes to `left` of a node if its `feature` is at most `threshold`, else to `right`;
    both are -1 for a leaf.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    #: Shape (n_nodes, n_targets); only those of leaves count.
    value: np.ndarray

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Return the values of rows, of shape (n_rows, n_targets)."""
        rows, at = np.arange(len(x)), np.zeros(len(x), np.int64)
        while (inner := self.left[at] >= 0).any():
            below = x[rows, self.feature[at]] <= self.threshold[at]
            next_one = np.where(below, self.left[at], self.right[at])
            at = np.where(inner, next_one, at)
        scores: np.ndarray = self.value[at]
        return scores


class _Growing:
    """A tree to which nodes are added."""

    def __init__(self, n_targets: int, dtype: Any) -> None:
        self._nodes: list[list[Any]] = []
        self._values: list[np.ndarray] = []
        self._n_targets, self._dtype = n_targets, dtype

    def leaf(self, value: np.ndarray) -> int:
        return self._add([0, 0.0, -1, -1], value)

    def _add(self, node: list[Any], value: np.ndarray | None = None) -> int:
        self._nodes.append(node)
        self._values.append(np.zeros(self._n_targets) if value is None else value)
        return len(self._nodes) - 1

    def reserve(self) -> int:
        """Return the place of a node that is set later: a parent before its children."""
        return self._add([0, 0.0, -1, -1])

    def split(
        self, at: int, mode: str, feature: int, number: Any, true: int, false: int
    ) -> None:
        """Set a node: where a comparison holds is `true`."""
        number = self._dtype(number)
        less = float(np.nextafter(number, self._dtype(-np.inf)))
        match mode:
            case "BRANCH_LEQ":
                self._nodes[at] = [feature, float(number), true, false]
            case "BRANCH_LT":
                self._nodes[at] = [feature, less, true, false]
            case "BRANCH_GTE":
                self._nodes[at] = [feature, less, false, true]
            case "BRANCH_GT":
                self._nodes[at] = [feature, float(number), false, true]
            case "BRANCH_EQ":
                above = self._add([feature, less, false, true])
                self._nodes[at] = [feature, float(number), above, false]
            case "BRANCH_NEQ":
                above = self._add([feature, less, true, false])
                self._nodes[at] = [feature, float(number), above, true]
            case _:
                raise UnsupportedOperatorError(
                    f"Trees that compare by {mode!r} are not supported."
                )

    def finished(self) -> TreeData:
        feature, threshold, left, right = zip(*self._nodes, strict=True)
        return TreeData(
            np.array(feature, np.int64),
            np.array(threshold, np.float64),
            np.array(left, np.int64),
            np.array(right, np.int64),
            np.array(self._values, np.float64),
        )


def numbers_of(attributes: Mapping[str, Any], name: str) -> np.ndarray:
    """Return numbers that are given as floats, or as a tensor of another type."""
    tensor = attributes.get(f"{name}_as_tensor")
    if tensor is not None:
        return np.asarray(tensor)
    return np.asarray(attributes.get(name) or [], np.float32)


def trees_of(attributes: Mapping[str, Any], kind: str, n_targets: int) -> list[TreeData]:
    """Return the trees of an ensemble of versions 1 and 3.

    Parameters
    ----------
    attributes : mapping
        Of the node.
    kind : {'class', 'target'}
        How attributes name what leaves hold.
    n_targets : int
    """
    ids = attributes["nodes_treeids"], attributes["nodes_nodeids"]
    places = {pair: place for place, pair in enumerate(zip(*ids, strict=True))}
    numbers = numbers_of(attributes, "nodes_values")
    dtype = np.float64 if numbers.dtype == np.float64 else np.float32
    values: dict[tuple[int, int], np.ndarray] = {}
    for tree, node, target, weight in zip(
        *(attributes[f"{kind}_{name}"] for name in ("treeids", "nodeids", "ids")),
        numbers_of(attributes, f"{kind}_weights").tolist(),
        strict=True,
    ):
        value = values.setdefault((tree, node), np.zeros(n_targets))
        value[target] += weight
    nothing = np.zeros(n_targets)
    found = []
    for tree in dict.fromkeys(ids[0]):
        children = {
            (tree, attributes[f"nodes_{side}nodeids"][place])
            for (other, _), place in places.items()
            if other == tree and attributes["nodes_modes"][place] != "LEAF"
            for side in ("true", "false")
        }
        (root,) = (key for key in places if key[0] == tree and key not in children)
        growing = _Growing(n_targets, dtype)

        def grow(key: tuple[int, int], growing: _Growing = growing) -> int:
            place = places[key]
            mode = attributes["nodes_modes"][place]
            if mode == "LEAF":
                return growing.leaf(values.get(key, nothing))
            at = growing.reserve()
            true, false = (
                grow((key[0], attributes[f"nodes_{side}nodeids"][place]))
                for side in ("true", "false")
            )
            feature = attributes["nodes_featureids"][place]
            growing.split(at, mode, feature, numbers[place], true, false)
            return at

        grow(root)
        found.append(growing.finished())
    return found


def summed(trees: Sequence[TreeData], x: np.ndarray, aggregate: str = "SUM") -> np.ndarray:
    """Return what the values of trees add up to, or their mean, smallest or largest."""
    each = np.stack([tree.scores(x) for tree in trees])
    functions: dict[str, Any] = {
        "SUM": np.sum,
        "AVERAGE": np.mean,
        "MIN": np.min,
        "MAX": np.max,
    }
    result: np.ndarray = functions[aggregate](each, axis=0)
    return result


def grown_of(attributes: Mapping[str, Any]) -> list[TreeData]:
    """Return the trees of an ensemble of version 5."""
    splits = np.asarray(attributes["nodes_splits"])
    dtype = np.float64 if splits.dtype == np.float64 else np.float32
    modes = np.asarray(attributes["nodes_modes"]).tolist()
    members = iter(_sets(attributes.get("membership_values")))
    sets = [next(members) if mode == len(_MODES) else [] for mode in modes]
    weights = np.asarray(attributes["leaf_weights"], float)
    targets, n_targets = attributes["leaf_targetids"], attributes.get("n_targets", 1)

    def grow(growing: _Growing, place: int, is_leaf: int) -> int:
        if is_leaf:
            value = np.zeros(n_targets)
            value[targets[place]] = weights[place]
            return growing.leaf(value)
        at = growing.reserve()
        true, false = (
            grow(
                growing,
                attributes[f"nodes_{side}nodeids"][place],
                attributes[f"nodes_{side}leafs"][place],
            )
            for side in ("true", "false")
        )
        feature, mode = attributes["nodes_featureids"][place], modes[place]
        if mode < len(_MODES):
            name = f"BRANCH_{_MODES[mode]}"
            growing.split(at, name, feature, splits[place], true, false)
            return at
        # One comparison after the other.
        for number in sets[place][1:]:
            node = growing.reserve()
            growing.split(node, "BRANCH_EQ", feature, number, true, false)
            false = node
        growing.split(at, "BRANCH_EQ", feature, sets[place][0], true, false)
        return at

    found = []
    for root in attributes["tree_roots"]:
        growing = _Growing(n_targets, dtype)
        grow(growing, root, 0)
        found.append(growing.finished())
    return found


def _sets(values: Any) -> list[list[float]]:
    """Return sets of numbers, each of which ends with nan."""
    found: list[list[float]] = [[]]
    for number in np.ravel([] if values is None else values).tolist():
        if number != number:
            found.append([])
        else:
            found[-1].append(number)
    return found
