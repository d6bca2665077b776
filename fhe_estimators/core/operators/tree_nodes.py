"""The nodes of a tree ensemble, as operators of ai.onnx.ml have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fhe_estimators.exceptions import UnsupportedOperatorError

#: How a comparison that is to be made with `value` is made: whether with the number before,
#: whether for equality, and whether its branches change places.
_COMPARISONS = {
    "BRANCH_LEQ": (False, False, False),
    "BRANCH_LT": (True, False, False),
    "BRANCH_GTE": (True, False, True),
    "BRANCH_GT": (False, False, True),
    "BRANCH_EQ": (False, True, False),
    "BRANCH_NEQ": (False, True, True),
}
#: Comparisons of version 5, by number; the next one asks for a member of a set.
MODES = tuple(_COMPARISONS)


@dataclass(frozen=True, eq=False)
class TreeNodes:
    """The nodes of all trees of an ensemble, one after the other.

    A row goes to `true` of a node if its `feature` is at most `value`, or equal to it where
    `equals`; if it is missing, if `missing_true`.

    Parameters
    ----------
    roots : ndarray of int of shape (n_trees,)
    feature, true, false : ndarray of int of shape (n_nodes,)
        Children of leaves are -1.
    value : ndarray of float64 of shape (n_nodes,)
    equals, missing_true : ndarray of bool of shape (n_nodes,)
    weights : ndarray of float64 of shape (n_nodes, n_targets)
        What leaves add.
    """

    roots: np.ndarray
    feature: np.ndarray
    value: np.ndarray
    equals: np.ndarray
    true: np.ndarray
    false: np.ndarray
    missing_true: np.ndarray
    weights: np.ndarray

    @property
    def is_leaf(self) -> np.ndarray:
        """Which nodes are leaves, of shape (n_nodes,)."""
        return self.true < 0

    def each_tree(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Yield what each tree adds to rows, of shape (n_rows, n_targets)."""
        for root in self.roots:
            at, rows = np.full(len(x), root), np.arange(len(x))
            while len(rows := rows[self.true[at[rows]] >= 0]):
                node = at[rows]
                number, value = x[rows, self.feature[node]], self.value[node]
                holds = np.where(self.equals[node], number == value, number <= value)
                holds = np.where(np.isnan(number), self.missing_true[node], holds)
                at[rows] = np.where(holds, self.true[node], self.false[node])
            yield self.weights[at]

    @classmethod
    def of(cls, attributes: Mapping[str, Any], kind: str, n_targets: int) -> TreeNodes:
        """Return the nodes in the attributes of an operator of versions 1 and 3.

        Parameters
        ----------
        attributes : mapping
        kind : {'class', 'target'}
            How attributes name what leaves hold.
        n_targets : int

        Raises
        ------
        UnsupportedOperatorError
            If nodes compare in a way that is not known.
        """
        ids = attributes["nodes_treeids"], attributes["nodes_nodeids"]
        places = {key: place for place, key in enumerate(zip(*ids, strict=True))}
        missing = attributes.get("nodes_missing_value_tracks_true") or [0] * len(places)
        rows = zip(
            *ids,
            *(attributes[f"nodes_{name}"] for name in ("modes", "featureids")),
            numbers_of(attributes, "nodes_values").tolist(),
            *(attributes[f"nodes_{side}nodeids"] for side in ("true", "false")),
            missing,
            strict=True,
        )
        nodes = _Nodes(n_targets)
        for tree, _, mode, feature, value, true, false, tracks in rows:
            if mode == "LEAF":
                nodes.leaf()
            else:
                children = places[tree, true], places[tree, false]
                nodes.split(nodes.leaf(), mode, feature, value, *children, bool(tracks))
        for tree, node, target, weight in zip(
            *(attributes[f"{kind}_{name}"] for name in ("treeids", "nodeids", "ids")),
            numbers_of(attributes, f"{kind}_weights").tolist(),
            strict=True,
        ):
            nodes.weights[places[tree, node]][target] += weight
        return nodes.finished()

    @classmethod
    def of_version_5(cls, attributes: Mapping[str, Any]) -> TreeNodes:
        """Return the nodes in the attributes of the operator of version 5.

        One that asks for a member of a set is a chain of nodes that ask for one each.

        Parameters
        ----------
        attributes : mapping
        """
        inner, leaf = len(attributes["nodes_modes"]), attributes["leaf_targetids"]
        nodes = _Nodes(int(attributes.get("n_targets") or 1))
        for _ in range(inner + len(leaf)):
            nodes.leaf()
        weights = np.ravel(attributes["leaf_weights"]).tolist()
        for place, (target, weight) in enumerate(zip(leaf, weights, strict=True), inner):
            nodes.weights[place][target] = weight
        tracks = attributes.get("nodes_missing_value_tracks_true") or [0] * inner
        members = iter(_sets(attributes.get("membership_values")))
        modes, splits = (
            np.ravel(attributes[f"nodes_{name}"]).tolist() for name in ("modes", "splits")
        )
        for node in range(inner):
            true, false = (
                attributes[f"nodes_{side}nodeids"][node]
                + inner * bool(attributes[f"nodes_{side}leafs"][node])
                for side in ("true", "false")
            )
            feature, missing = attributes["nodes_featureids"][node], bool(tracks[node])
            if modes[node] < len(MODES):
                mode = MODES[modes[node]]
                nodes.split(node, mode, feature, splits[node], true, false, missing)
                continue
            first, *others = next(members)
            for member in others:
                more = nodes.leaf()
                nodes.split(more, "BRANCH_EQ", feature, member, true, false, missing)
                false = more
            nodes.split(node, "BRANCH_EQ", feature, first, true, false, missing)
        # A tree of a leaf alone has a root whose branches are both that leaf.
        return nodes.finished(attributes["tree_roots"])


class _Nodes:
    """Collects nodes, in any order."""

    def __init__(self, n_targets: int) -> None:
        self._n_targets = n_targets
        #: Feature, value, equals, true, false, missing_true.
        self._nodes: list[tuple[int, float, bool, int, int, bool]] = []
        self.weights: list[np.ndarray] = []

    def leaf(self) -> int:
        """Append a leaf that adds nothing and return its place."""
        self._nodes.append((0, 0.0, False, -1, -1, False))
        self.weights.append(np.zeros(self._n_targets))
        return len(self._nodes) - 1

    def split(
        self,
        at: int,
        mode: str,
        feature: int,
        value: float,
        true: int,
        false: int,
        missing_true: bool,
    ) -> None:
        """Make the node at a place compare."""
        if mode not in _COMPARISONS:
            raise UnsupportedOperatorError(
                f"Trees that compare by {mode!r} are not supported; supported are "
                f"{', '.join(_COMPARISONS)} and LEAF."
            )
        before, equals, swapped = _COMPARISONS[mode]
        # What is missing is not equal to anything.
        missing_true = missing_true or mode == "BRANCH_NEQ"
        if before:
            value = float(np.nextafter(value, -np.inf))
        if swapped:
            true, false, missing_true = false, true, not missing_true
        self._nodes[at] = feature, value, equals, true, false, missing_true

    def finished(self, roots: Any = None) -> TreeNodes:
        """Return the nodes; the roots, if not given, are those that no node leads to."""
        feature, value, equals, true, false, missing = map(
            np.array, zip(*self._nodes, strict=True)
        )
        if roots is None:
            roots = np.setdiff1d(np.arange(len(feature)), np.append(true, false))
        weights = np.array(self.weights)
        return TreeNodes(
            np.asarray(roots, np.int64),
            feature,
            value,
            equals,
            true,
            false,
            missing,
            weights,
        )


def numbers_of(attributes: Mapping[str, Any], name: str) -> np.ndarray:
    """Return numbers that are given as floats, or as a tensor of another type."""
    tensor = attributes.get(f"{name}_as_tensor")
    if tensor is not None:
        return np.asarray(tensor)
    return np.asarray(attributes.get(name) or [], np.float32)


def _sets(values: Any) -> list[list[float]]:
    """Return sets of numbers, each of which ends with nan."""
    found: list[list[float]] = [[]]
    for number in np.ravel([] if values is None else values).tolist():
        if number != number:
            found.append([])
        else:
            found[-1].append(number)
    return found
