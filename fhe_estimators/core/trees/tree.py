"""Decision trees on bins, as plain data.

A row is seen as the *bins* of its features: feature `f` lies in bin ``b`` if it is above
`b` edges between its bins. Every comparison of a tree on bins asks whether
``bin <= edge``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

#: Beyond every bin.
_END = 1 << 30
#: The bounds of a feature of which nothing is known.
ANY = (-1, _END)
#: Bounds of the bins of features on a path: ``low < bin <= high``.
Box = Mapping[int, tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Leaf:
    """A constant, of shape (n_outputs,)."""

    value: np.ndarray


@dataclass(frozen=True, eq=False)
class SplitNode:
    """One tree where ``bin of feature <= edge``, another one above."""

    feature: int
    edge: int
    below: Tree
    above: Tree


Tree = Leaf | SplitNode


def nodes(tree: Tree) -> Iterator[Tree]:
    """Yield all nodes, a parent before its children."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, SplitNode):
            pending += (node.above, node.below)


def leaves(tree: Tree) -> Iterator[Leaf]:
    """Yield the leaves, lower bins first."""
    return (node for node in nodes(tree) if isinstance(node, Leaf))


def splits(tree: Tree) -> Iterator[SplitNode]:
    """Yield the nodes that compare."""
    return (node for node in nodes(tree) if isinstance(node, SplitNode))


def mapped(tree: Tree, function: Callable[[Leaf], Leaf]) -> Tree:
    """Return the tree with other leaves."""
    if isinstance(tree, Leaf):
        return function(tree)
    below, above = mapped(tree.below, function), mapped(tree.above, function)
    return SplitNode(tree.feature, tree.edge, below, above)


def sides(box: Box, split: SplitNode) -> tuple[Box, Box]:
    """Return the boxes of the rows that go below and of those that go above."""
    low, high = box.get(split.feature, ANY)
    return (
        {**box, split.feature: (low, min(high, split.edge))},
        {**box, split.feature: (max(low, split.edge), high)},
    )


def boxes(tree: Tree, box: Box | None = None) -> Iterator[Box]:
    """Yield the box of the rows that end in each leaf, lower bins first."""
    box = box or {}
    if isinstance(tree, Leaf):
        yield box
        return
    for side, part in zip((tree.below, tree.above), sides(box, tree), strict=True):
        yield from boxes(side, part)


def simplified(tree: Tree, box: Box | None = None) -> Tree:
    """Return the tree without comparisons that are decided already or change nothing."""
    if isinstance(tree, Leaf):
        return tree
    box = box or {}
    low, high = box.get(tree.feature, ANY)
    if tree.edge <= low:
        return simplified(tree.above, box)
    if tree.edge >= high:
        return simplified(tree.below, box)
    under, over = sides(box, tree)
    below, above = simplified(tree.below, under), simplified(tree.above, over)
    if (
        isinstance(below, Leaf)
        and isinstance(above, Leaf)
        and np.array_equal(below.value, above.value)
    ):
        return below
    return SplitNode(tree.feature, tree.edge, below, above)


def evaluate_tree(tree: Tree, bins: np.ndarray) -> np.ndarray:
    """Return the values of rows.

    Parameters
    ----------
    tree : Tree
    bins : ndarray of int of shape (n_rows, n_features)

    Returns
    -------
    values : ndarray of shape (n_rows, n_outputs)
    """
    example = next(leaves(tree)).value
    values = np.empty((len(bins), len(example)), example.dtype)
    for rows, leaf in leaf_rows(tree, bins):
        values[rows] = leaf.value
    return values


def leaf_rows(tree: Tree, bins: np.ndarray) -> Iterator[tuple[np.ndarray, Leaf]]:
    """Yield each leaf with the indices of the rows that end there, lower bins first."""
    pending = [(np.arange(len(bins)), tree)]
    while pending:
        rows, node = pending.pop()
        if isinstance(node, Leaf):
            yield rows, node
        else:
            goes_below = bins[rows, node.feature] <= node.edge
            pending += ((rows[~goes_below], node.above), (rows[goes_below], node.below))
