"""Decision trees on bins, as plain data.

A row is seen as the *bins* of its features: feature `f` lies in bin ``b`` if it is above
`b` edges between its bins. Every comparison of a tree on bins asks whether
``bin <= edge``, or whether the bin is in a set: of categories, or of numbers up to a
threshold and of those that are missing, which have a bin of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from fhe_estimators.core.trees.partitions import (
    ANY,
    Bounds,
    complement,
    contains,
    intersection,
)

#: The bins of features on a path.
Box = Mapping[int, Bounds]


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

    @property
    def bounds(self) -> Bounds:
        """The bins of the rows that go below."""
        return (ANY[0], self.edge)

    def with_sides(self, below: Tree, above: Tree) -> SplitNode:
        """Return the same comparison of other trees."""
        return SplitNode(self.feature, self.edge, below, above)


@dataclass(frozen=True, eq=False)
class SubsetNode:
    """One tree where the bin of a feature is in a set, another one elsewhere.

    The set does not hold the last bin: `split_by` sees to it.
    """

    feature: int
    bounds: Bounds
    below: Tree
    above: Tree

    def with_sides(self, below: Tree, above: Tree) -> SubsetNode:
        """Return the same comparison of other trees."""
        return SubsetNode(self.feature, self.bounds, below, above)


Tree = Leaf | SplitNode | SubsetNode


def split_by(feature: int, bounds: Bounds, below: Tree, above: Tree) -> Tree:
    """Return a tree that is `below` where the bin of a feature is in a set.

    Parameters
    ----------
    feature : int
    bounds : tuple of int
        The set, see `Bounds`.
    below, above : Tree
    """
    if bounds and bounds[-1] == ANY[1]:
        bounds, below, above = complement(bounds), above, below
    if not bounds:
        return above
    if len(bounds) == 2 and bounds[0] == ANY[0]:
        return SplitNode(feature, bounds[1], below, above)
    return SubsetNode(feature, bounds, below, above)


def nodes(tree: Tree) -> Iterator[Tree]:
    """Yield all nodes, a parent before its children."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, Leaf):
            pending += (node.above, node.below)


def leaves(tree: Tree) -> Iterator[Leaf]:
    """Yield the leaves, lower bins first."""
    return (node for node in nodes(tree) if isinstance(node, Leaf))


def splits(tree: Tree) -> Iterator[SplitNode | SubsetNode]:
    """Yield the nodes that compare."""
    return (node for node in nodes(tree) if not isinstance(node, Leaf))


def mapped(tree: Tree, function: Callable[[Leaf], Leaf]) -> Tree:
    """Return the tree with other leaves."""
    if isinstance(tree, Leaf):
        return function(tree)
    below, above = mapped(tree.below, function), mapped(tree.above, function)
    return tree.with_sides(below, above)


def sides(box: Box, split: SplitNode | SubsetNode) -> tuple[Box, Box]:
    """Return the boxes of the rows that go below and of those that go above."""
    known, below = box.get(split.feature, ANY), split.bounds
    return (
        {**box, split.feature: intersection(known, below)},
        {**box, split.feature: intersection(known, complement(below))},
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
    under, over = sides(box, tree)
    if not under[tree.feature]:
        return simplified(tree.above, box)
    if not over[tree.feature]:
        return simplified(tree.below, box)
    below, above = simplified(tree.below, under), simplified(tree.above, over)
    if (
        isinstance(below, Leaf)
        and isinstance(above, Leaf)
        and np.array_equal(below.value, above.value)
    ):
        return below
    return tree.with_sides(below, above)


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
            goes_below = contains(node.bounds, bins[rows, node.feature])
            pending += ((rows[~goes_below], node.above), (rows[goes_below], node.below))
