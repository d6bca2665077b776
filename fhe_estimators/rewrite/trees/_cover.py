"""The cheapest way to write trees as a sum of groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from fhe_estimators.rewrite.trees._groups import Fragment, Group, gates_of
from fhe_estimators.rewrite.trees._tree import (
    Box,
    Leaf,
    Tree,
    leaves,
    mapped,
    sides,
    simplified,
)

#: Leaf values that are tried as the constant of a tree.
_MOST_CONSTANTS = 16


def cover(tree: Tree, source: int, most_states: int) -> tuple[np.ndarray, list[Group]]:
    """Write a tree as a constant and the fewest groups of at most `most_states` states.

    A dynamic program over the nodes: a subtree is one group if it fits, else its two sides
    are covered each. A subtree that equals the constant needs no group, so the constant is
    the leaf value that leaves the fewest groups.

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
    values = Counter(tuple(leaf.value.tolist()) for leaf in leaves(tree))
    covers = []
    for value, _ in values.most_common(_MOST_CONSTANTS):
        constant = np.array(value, np.int64)
        shifted = mapped(tree, lambda leaf, by=constant: Leaf(leaf.value - by))  # type: ignore[misc]
        covers.append((constant, _groups(simplified(shifted), {}, source, most_states)))
    return min(covers, key=lambda found: _price(found[1]))


def _groups(tree: Tree, box: Box, source: int, most_states: int) -> list[Group]:
    if isinstance(tree, Leaf) and not tree.value.any():
        return []
    group = Fragment(gates_of(box), tree, source).as_group()
    if isinstance(tree, Leaf) or group.states <= most_states:
        return [group]
    below, above = sides(box, tree)
    return [
        *_groups(tree.below, below, source, most_states),
        *_groups(tree.above, above, source, most_states),
    ]


def _price(groups: Iterable[Group]) -> tuple[int, int]:
    """Return tables, then states: singles are free, small groups are easier to merge."""
    several = [group.states for group in groups if len(group.features) > 1]
    return len(several), sum(several)


def merge(groups: Sequence[Group], most_states: int) -> list[Group]:
    """Merge groups, of any trees, as long as a table holds their states.

    Best fit, largest first: each group joins the one with which it shares most, that is,
    with which the product of the states shrinks most. This is bin packing with
    overlapping items [1]_. Groups whose values are multiples of different vectors stay
    apart: together they would take a table for each vector all the same.

    Parameters
    ----------
    groups : sequence of Group
    most_states : int

    Returns
    -------
    merged : list of Group

    References
    ----------
    .. [1] A. Grange, I. Kacem, S. Martin, "Algorithms for the bin packing problem with
       overlapping items", Computers & Industrial Engineering 115, 2018.
    """
    merged: list[Group] = []
    # The places in `merged` of those that look at a feature.
    readers: dict[int, set[int]] = {}
    for group in sorted(groups, key=lambda group: -group.states):
        near = set().union(*(readers.get(feature, ()) for feature in group.features))
        best: tuple[float, int, Group] | None = None
        for place in sorted(near):
            other = merged[place]
            if group.direction is None or group.direction != other.direction:
                continue
            # Each feature that only one of them looks at doubles the states at least.
            if (
                other.states << len(group.features - other.features) > most_states
                or group.states << len(other.features - group.features) > most_states
            ):
                continue
            both = other.merged(group)
            shared = other.states * group.states / both.states
            if both.states <= most_states and (best is None or shared > best[0]):
                best = shared, place, both
        if best is None:
            place = len(merged)
            merged.append(group)
        else:
            _, place, merged[place] = best
        for feature in group.features:
            readers.setdefault(feature, set()).add(place)
    return merged
