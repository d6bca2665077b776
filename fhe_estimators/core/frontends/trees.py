"""Tree ensembles, as their libraries hold them, in the form that they are exported in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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
