"""The cheapest way to write trees as a sum of groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from fhe_estimators.core.trees.groups import Fragment, Group, gates_of
from fhe_estimators.core.trees.tree import Box, Leaf, SplitNode, Tree, leaves, sides, splits


def cover(tree: Tree, source: int, most_states: int) -> tuple[np.ndarray, list[Group]]:
    """Write a tree as a constant and the fewest groups of at most `most_states` states.

    A subtree is one group if it fits, else its two sides are covered each. A leaf that
    equals the constant needs no group, so the constant is the value with which most tables
    are saved.

    Parameters
    ----------
    tree : Tree
        Simplified, with integer values.
    source : int
        Its place in the ensemble.
    most_states : int
        At least 2. A leaf behind more gates than this allows takes ``gates + 1`` states
        all the same: there is no smaller group.

    Returns
    -------
    constant : ndarray of int64 of shape (n_outputs,)
    groups : list of Group
    """
    pieces = list(_pieces(tree, {}, source, most_states))
    # Tables, then states: singles are free, small groups are easier to merge.
    tables: Counter[tuple[int, ...]] = Counter()
    states: Counter[tuple[int, ...]] = Counter()
    for piece, group in pieces:
        if isinstance(piece, Leaf) and len(group.features) > 1:
            value = tuple(piece.value.tolist())
            tables[value] += 1
            states[value] += group.states
    values = Counter(tuple(leaf.value.tolist()) for leaf in leaves(tree))
    found = max(values, key=lambda value: (tables[value], states[value], values[value]))
    constant = np.array(found, np.int64)

    def less(leaf: Leaf) -> Leaf:
        return Leaf(leaf.value - constant)

    return constant, [
        group.mapped(less)
        for piece, group in pieces
        if not isinstance(piece, Leaf) or not np.array_equal(piece.value, constant)
    ]


def _pieces(
    tree: Tree, box: Box, source: int, most_states: int
) -> Iterator[tuple[Tree, Group]]:
    """Yield subtrees and their groups, whose states do not depend on the values."""
    if isinstance(tree, Leaf) or _least_states(tree, most_states) <= most_states:
        group = Fragment(gates_of(box), tree, source).as_group()
        if isinstance(tree, Leaf) or group.states <= most_states:
            yield tree, group
            return
    below, above = sides(box, tree)
    yield from _pieces(tree.below, below, source, most_states)
    yield from _pieces(tree.above, above, source, most_states)


def _least_states(tree: Tree, enough: int) -> int:
    """Return a lower bound of the states of a tree's group, counted up to `enough`."""
    edges: set[tuple[int, int]] = set()
    for split in splits(tree):
        # However many subsets of bins there are, they may make few classes.
        if isinstance(split, SplitNode):
            edges.add((split.feature, split.edge))
        if len(edges) >= enough:
            break
    return len(edges) + 1
