"""Tree ensembles, as their libraries hold them, in the form that they are exported in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

#: Numbers that the exported matrices may hold.
_MOST_NUMBERS = 2**28


class TreeArrays(NamedTuple):
    """A decision tree in arrays, one entry for each node, the root first.

    A row goes to `left` of a node if its `feature` is at most `threshold`. Both children
    of a leaf are -1.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    #: Shape (n_nodes, n_outputs); only those of leaves count.
    value: np.ndarray
    #: Whether rows go left whose feature is missing, nan; None if none may be.
    missing_left: np.ndarray | None = None
    #: Of nodes that compare categories: the integers that go left.
    categories: Mapping[int, Sequence[int]] | None = None

    @property
    def compares_numbers_only(self) -> bool:
        """Whether there are neither missing values nor categories."""
        return self.missing_left is None and not self.categories


class Matrices(NamedTuple):
    """An ensemble as three matrix products (see `matrices`)."""

    #: (n_trees * n_nodes, n_features): the feature that each node compares.
    selection: np.ndarray
    #: (n_trees * n_nodes, 1)
    thresholds: np.ndarray
    #: (n_trees, n_leaves, n_nodes): 1 for a leaf left of a node, -1 right of it, else 0.
    paths: np.ndarray
    #: (n_trees * n_leaves, 1): the comparisons that hold on the path to each leaf.
    counts: np.ndarray
    #: (n_trees, n_outputs, n_leaves)
    values: np.ndarray


def matrices(trees: Sequence[TreeArrays], n_features: int) -> Matrices:
    """Return trees as matrices, filled up to the size of the largest tree.

    The comparisons that hold are ``c = selection @ x.T <= thresholds``; a row is in the
    leaves where ``paths @ c == counts``, and their `values` add up [1]_.

    Parameters
    ----------
    trees : sequence of TreeArrays
    n_features : int

    Returns
    -------
    matrices : Matrices

    Raises
    ------
    ValueError
        If the matrices would be too large.

    References
    ----------
    .. [1] S. Nakandala et al., "A Tensor Compiler for Unified Machine Learning Prediction
       Serving", OSDI 2020 (the strategy "GEMM").
    """
    n_leaves = max(int((tree.left < 0).sum()) for tree in trees)
    n_nodes, n_outputs = max(1, n_leaves - 1), trees[0].value.shape[1]
    if len(trees) * n_leaves * n_nodes > _MOST_NUMBERS:
        raise ValueError(
            f"{len(trees)} trees of up to {n_leaves} leaves are too many to be predicted "
            "encrypted: it would take hours a row. Use fewer or smaller trees: set "
            "max_depth, max_leaf_nodes or n_estimators."
        )
    selection = np.zeros((len(trees), n_nodes, n_features))
    thresholds = np.zeros((len(trees), n_nodes))
    paths = np.zeros((len(trees), n_leaves, n_nodes), np.float32)
    counts = np.zeros((len(trees), n_leaves), np.float32)
    # A leaf that fills a tree up is in reach of no row: no comparison gives -1.
    counts[:] = -1
    values = np.zeros((len(trees), n_outputs, n_leaves))
    for number, tree in enumerate(trees):
        leaf = node = 0
        pending: list[tuple[int, list[tuple[int, int]]]] = [(0, [])]
        while pending:
            at, path = pending.pop()
            if tree.left[at] < 0:
                for passed, side in path:
                    paths[number, leaf, passed] = side
                counts[number, leaf] = sum(side > 0 for _, side in path)
                values[number, :, leaf] = tree.value[at]
                leaf += 1
            else:
                selection[number, node, tree.feature[at]] = 1
                thresholds[number, node] = tree.threshold[at]
                pending += (
                    (int(tree.right[at]), [*path, (node, -1)]),
                    (int(tree.left[at]), [*path, (node, 1)]),
                )
                node += 1
    return Matrices(
        selection.reshape(-1, n_features),
        thresholds.reshape(-1, 1),
        paths,
        counts.reshape(-1, 1),
        values,
    )


def node_attributes(trees: Sequence[TreeArrays]) -> dict[str, Any]:
    """Return trees as attributes of ONNX's operator ``TreeEnsembleRegressor``.

    A node that asks for one of several categories is a chain of nodes, one for each, whose
    true branches lead to the same node, as converters of LightGBM have it.

    Parameters
    ----------
    trees : sequence of TreeArrays

    Returns
    -------
    attributes : dict
        Tensors are arrays.
    """
    table = _NodeTable()
    for number, tree in enumerate(trees):
        missing_left = tree.missing_left
        if missing_left is None:
            missing_left = np.zeros(len(tree.feature), bool)
        categories = tree.categories or {}
        # What the nodes of chains, but the first ones, are called.
        n_nodes = len(tree.feature)
        for node, (feature, left, right) in enumerate(
            zip(tree.feature.tolist(), tree.left.tolist(), tree.right.tolist(), strict=True)
        ):
            missing = bool(missing_left[node])
            if left < 0:
                table.add(number, node, "LEAF", 0, 0.0, (0, 0), False)
                for output in np.flatnonzero(tree.value[node]).tolist():
                    table.targets.append((number, node, output, tree.value[node, output]))
            elif not categories.get(node, True):
                # No category goes left.
                children = left, right
                table.add(number, node, "BRANCH_LEQ", feature, -np.inf, children, missing)
            elif node not in categories:
                value = float(tree.threshold[node])
                table.add(
                    number, node, "BRANCH_LEQ", feature, value, (left, right), missing
                )
            else:
                name, codes = node, sorted(categories[node])
                for code in codes[:-1]:
                    children = left, n_nodes
                    table.add(number, name, "BRANCH_EQ", feature, code, children, missing)
                    name, n_nodes = n_nodes, n_nodes + 1
                children = left, right
                table.add(number, name, "BRANCH_EQ", feature, codes[-1], children, missing)
    return table.attributes(trees[0].value.shape[1])


class _NodeTable:
    """Collects the nodes of an ensemble."""

    def __init__(self) -> None:
        self._nodes: list[tuple[Any, ...]] = []
        self.targets: list[tuple[int, int, int, float]] = []

    def add(
        self,
        tree: int,
        node: int,
        mode: str,
        feature: int,
        value: float,
        children: tuple[int, int],
        missing: bool,
    ) -> None:
        """Add a node."""
        self._nodes.append((tree, node, mode, feature, value, *children, int(missing)))

    def attributes(self, n_outputs: int) -> dict[str, Any]:
        """Return all that were added."""
        names = (
            *("nodes_treeids", "nodes_nodeids", "nodes_modes", "nodes_featureids"),
            *("nodes_values_as_tensor", "nodes_truenodeids", "nodes_falsenodeids"),
            "nodes_missing_value_tracks_true",
        )
        of_targets = "treeids", "nodeids", "ids", "weights_as_tensor"
        # An ensemble of zeros has one weight all the same.
        targets = self.targets or [(0, self._first_leaf(), 0, 0.0)]
        columns: dict[str, Any] = {
            **dict(zip(names, map(list, zip(*self._nodes, strict=True)), strict=True)),
            **dict(
                zip(
                    (f"target_{name}" for name in of_targets),
                    map(list, zip(*targets, strict=True)),
                    strict=True,
                )
            ),
        }
        for name in ("nodes_values_as_tensor", "target_weights_as_tensor"):
            columns[name] = np.array(columns[name], np.float64)
        return {**columns, "n_targets": n_outputs}

    def _first_leaf(self) -> int:
        return next(int(node) for _, node, mode, *_ in self._nodes if mode == "LEAF")
