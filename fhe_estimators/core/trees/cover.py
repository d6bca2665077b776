"""The cheapest way to write trees as a sum of groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from fhe_estimators.core.trees.groups import Fragment, Gate, Group, Partitions, gates_of
from fhe_estimators.core.trees.partitions import (
    Atoms,
    Partition,
    classes_of,
    intervals,
    n_classes,
)
from fhe_estimators.core.trees.tree import Box, Leaf, SplitNode, Tree, leaves, sides, splits

#: Groups of which each is merged to see whether it fits, without a bound before.
_FEW = 24


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
    states = _States(groups)
    for group in sorted(groups, key=lambda group: -group.states):
        best: tuple[float, int, Group] | None = None
        for place in states.near(group, most_states):
            other = merged[place]
            both = other.merged(group, most_states)
            if both is None:
                continue
            shared = other.states * group.states / both.states
            if best is None or shared > best[0]:
                best = shared, place, both
        if best is None:
            states.put(len(merged), group)
            merged.append(group)
        else:
            _, place, merged[place] = best
            states.put(place, merged[place])
    return merged


class _States:
    """Finds those among many groups that a group may be merged with.

    Without a common gate the classes of all gates replace them: then the states of two
    groups together follow from the classes that at least one of them tells apart. Where
    classes are intervals these are counted by the edges between them.

    Parameters
    ----------
    groups : sequence of Group
        All that there are.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self._with_atoms: set[int] = set()
        found: dict[int, set[int]] = {}
        for group in groups:
            for feature, partition in group.all_partitions.items():
                found.setdefault(feature, set()).update(intervals(partition)[0])
                if isinstance(partition, Atoms):
                    self._with_atoms.add(feature)
        edges = sorted((f, edge) for f, several in found.items() for edge in several)
        self._columns = {edge: number for number, edge in enumerate(edges)}
        features = np.array([feature for feature, _ in edges], np.int64)
        used, self._starts = np.unique(features, return_index=True)
        #: Edges of classes and of gates, and those of classes alone.
        self._edges = np.zeros((len(groups), len(edges)), np.uint8)
        self._own = np.zeros((len(groups), len(edges) + 1), np.uint8)
        self._features = np.zeros((len(groups), len(self._starts)), bool)
        self._states = np.zeros(len(groups), np.int64)
        #: Of features of which some classes are no intervals: where they are counted, a
        #: bin of each interval, and the class of each of these bins in each group.
        self._place = {f: int(np.searchsorted(used, f)) for f in self._with_atoms}
        self._bins = {f: np.array([*sorted(found[f]), 1 << 30]) for f in self._with_atoms}
        self._classes = {
            f: np.zeros((len(groups), len(bins)), np.int32)
            for f, bins in self._bins.items()
        }
        self._directions: dict[tuple[int, ...], int] = {}
        self._direction = np.full(len(groups), -1)
        self._with_gate: dict[Gate, set[int]] = {}
        self._number_gates(groups)
        self._used = 0

    def _number_gates(self, groups: Sequence[Group]) -> None:
        gates = {gate for group in groups for gate in group.gates}
        self._gates = {gate: number for number, gate in enumerate(gates)}
        columns = [
            [self._columns[f, end] for end in bounds if (f, end) in self._columns]
            for f, bounds in gates
        ]
        width = max(map(len, columns), default=0)
        #: Columns of the edges of each gate, filled up with one behind all edges.
        self._of_gate = np.full((len(gates), width), len(self._columns))
        for number, several in enumerate(columns):
            self._of_gate[number, : len(several)] = several
        #: Numbers of the gates of each group, filled up with -1.
        most = max((len(group.gates) for group in groups), default=0)
        self._gates_at = np.full((len(groups), most), -1)

    def put(self, place: int, group: Group) -> None:
        """Store a group under the index `place`."""
        self._edges[place] = row = self._row(group.all_partitions)
        self._own[place, :-1] = self._row(group.partitions)
        numbers = [self._gates[gate] for gate in group.gates]
        self._gates_at[place] = -1
        self._gates_at[place, : len(numbers)] = numbers
        self._features[place] = self._looks_at(row)
        self._states[place] = group.states
        self._direction[place] = self._number(group)
        self._used = max(self._used, place + 1)
        for feature, partition in group.all_partitions.items():
            if feature in self._with_atoms:
                bins = self._bins[feature]
                self._classes[feature][place] = classes_of(partition, bins)
        for gate in group.gates:
            self._with_gate.setdefault(gate, set()).add(place)

    def near(self, group: Group, most_states: int) -> list[int]:
        """Return indices of groups to try to merge with a group."""
        direction = self._number(group)
        if direction < 0:
            return []
        used = slice(self._used)
        sharing = {place for gate in group.gates for place in self._with_gate.get(gate, ())}
        found = self._may_share(
            group,
            [place for place in sharing if self._direction[place] == direction],
            most_states,
        )
        row = self._row(group.all_partitions)
        union = self._edges[used] | row
        both = np.add.reduceat(union, self._starts, axis=1, dtype=np.int64) + 1
        for feature, place in self._place.items():
            partition = group.all_partitions.get(feature, 0)
            both[:, place] = self._classes_together(feature, partition)
        states = both.prod(axis=1, dtype=float)
        fits = (states <= most_states) & (self._direction[used] == direction)
        fits &= (self._features[used] & self._looks_at(row)).any(axis=1)
        shared = np.where(fits, self._states[used] / states, 0)
        if fits.any():
            found.append(int(shared.argmax()))
        return sorted(set(found))

    def _may_share(
        self, group: Group, places: Sequence[int], most_states: int
    ) -> list[int]:
        """Return the places of groups with which it may have few enough states.

        Common gates are left out, and classes that are no intervals count as one: that is a
        lower bound of the states, of all groups at once.
        """
        if len(places) < _FEW:
            return [*places]
        at = np.array(places, np.int64)
        union = self._own[at]
        union[:, :-1] |= self._row(group.partitions)
        theirs = self._gates_at[at]
        ours = np.array([self._gates[gate] for gate in group.gates], np.int64)
        common = theirs[:, :, np.newaxis] == ours
        rows, places_of = np.nonzero(~common.any(axis=2) & (theirs >= 0))
        union[rows[:, np.newaxis], self._of_gate[theirs[rows, places_of]]] = 1
        rows, places_of = np.nonzero(~common.any(axis=1))
        union[rows[:, np.newaxis], self._of_gate[ours[places_of]]] = 1
        classes = np.add.reduceat(union[:, :-1], self._starts, axis=1, dtype=np.int64) + 1
        classes[:, [*self._place.values()]] = 1
        fits: np.ndarray = classes.prod(axis=1, dtype=float) <= most_states
        return [int(place) for place in at[fits]]

    def _classes_together(self, feature: int, partition: Partition) -> np.ndarray:
        """Return how many classes a partition and that of each group make together."""
        others = self._classes[feature][: self._used]
        pairs = n_classes(partition) * others + classes_of(partition, self._bins[feature])
        pairs.sort(axis=1)
        number: np.ndarray = (np.diff(pairs, axis=1) != 0).sum(axis=1) + 1
        return number

    def _row(self, partitions: Partitions) -> np.ndarray:
        row = np.zeros(self._edges.shape[1], np.uint8)
        for feature, partition in partitions.items():
            row[[self._columns[feature, edge] for edge in intervals(partition)[0]]] = 1
        return row

    def _looks_at(self, row: np.ndarray) -> np.ndarray:
        """Return for each feature whether a group of such edges looks at it."""
        looks: np.ndarray = np.maximum.reduceat(row, self._starts) > 0
        return looks

    def _number(self, group: Group) -> int:
        """Return the number of the direction of a group; -1 if it has none."""
        if group.direction is None:
            return -1
        return self._directions.setdefault(group.direction, len(self._directions))
