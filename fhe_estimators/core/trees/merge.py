"""Groups of several trees in one table."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence

import numpy as np

from fhe_estimators._progress import shown
from fhe_estimators.core.trees.groups import Group
from fhe_estimators.core.trees.partitions import (
    ANY,
    Atoms,
    Partition,
    classes_of,
    intervals,
    n_classes,
)
from fhe_estimators.core.trees.shared_gates import sharing_gates


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
    ordered = sorted(groups, key=lambda group: -group.states)
    of_direction: dict[tuple[int, ...] | None, list[int]] = {}
    for number, group in enumerate(ordered):
        of_direction.setdefault(group.direction, []).append(number)
    # As if groups of all directions were merged in turns: by the first of each table.
    merged: dict[int, Group] = {}
    with shown((), "merge", len(groups), unit="group") as bar:
        for direction, numbers in of_direction.items():
            several = [ordered[number] for number in numbers]
            if direction is None:
                packed = dict(enumerate(several))
                bar.update(len(several))
            else:
                packed = _Packing(several, most_states).packed(bar.update)
            merged |= {numbers[first]: group for first, group in packed.items()}
    return [merged[number] for number in sorted(merged)]


class _Packing:
    """Packs groups of one direction.

    Two groups either have gates in common, or the classes of all gates replace these. Of
    each kind, those that may fit are found without a look at all others.

    Parameters
    ----------
    groups : sequence of Group
        In the order in which they are packed.
    most_states : int
    """

    def __init__(self, groups: Sequence[Group], most_states: int) -> None:
        self._groups, self._most = groups, most_states
        #: What is packed so far, and the number of the first group of each.
        self._packed: list[Group] = []
        self._first: list[int] = []
        #: Where each group is packed, by its number.
        self._place: list[int] = []
        self._by_classes = _ByClasses(groups, most_states)

    def packed(self, tell: Callable[[], object]) -> dict[int, Group]:
        """Return merged groups by the number of the first that is part of each.

        Parameters
        ----------
        tell : callable
            Called for each group that is packed.
        """
        sharing = sharing_gates(self._groups, self._most)
        for number, (group, before) in enumerate(zip(self._groups, sharing, strict=True)):
            best: tuple[float, int, Group] | None = None
            for place in self._near(group, before):
                other = self._packed[place]
                both = other.merged(group, self._most)
                if both is None:
                    continue
                shared = other.states * group.states / both.states
                if best is None or shared > best[0]:
                    best = shared, place, both
            if best is None:
                place = len(self._packed)
                self._packed.append(group)
                self._first.append(number)
            else:
                _, place, self._packed[place] = best
            self._place.append(place)
            self._by_classes.put(place, self._packed[place])
            tell()
        return dict(zip(self._first, self._packed, strict=True))

    def _near(self, group: Group, before: Sequence[int]) -> list[int]:
        """Return the places of what is packed that a group might be merged with."""
        found = {self._place[number] for number in before}
        # A merged group may have lost the gates.
        near = {p for p in found if not group.gates.isdisjoint(self._packed[p].gates)}
        best = self._by_classes.best(group)
        return sorted(near if best is None else near | {best})


class _ByClasses:
    """Finds the group with which a group shares most if classes replace all gates.

    Then the states of two groups together follow from the classes that at least one of
    them tells apart. Where classes are intervals these are counted by the edges between
    them.

    Parameters
    ----------
    groups : sequence of Group
        All that there are.
    most_states : int
    """

    def __init__(self, groups: Sequence[Group], most_states: int) -> None:
        self._most, self._size, self._used = most_states, len(groups), 0
        self._states = np.zeros(len(groups))
        #: States if classes replace all gates; infinite if these are too many.
        self._in_full = np.zeros(len(groups))
        #: Number of classes of each feature in each group.
        self._n_classes: dict[int, np.ndarray] = {}
        #: Places of groups by edge.
        self._places: dict[tuple[int, int], array[int]] = {}
        self._edges: list[dict[int, list[int]]] = [{} for _ in groups]
        #: Of features of which some classes are no intervals: a bin of each interval of
        #: any group, and the class of each of these bins in each group.
        in_full = [group for group in groups if _in_full(group, most_states) < math.inf]
        self._bins = _bins_of_atoms(in_full)
        self._classes = {
            feature: np.zeros((len(groups), len(bins)), np.int32)
            for feature, bins in self._bins.items()
        }

    def put(self, place: int, group: Group) -> None:
        """Store a group under the index `place`."""
        self._used = max(self._used, place + 1)
        self._states[place] = group.states
        states = self._in_full[place] = _in_full(group, self._most)
        if states == math.inf:
            return
        for feature, partition in group.all_partitions.items():
            if feature not in self._n_classes:
                self._n_classes[feature] = np.ones(self._size)
            self._n_classes[feature][place] = n_classes(partition)
            if feature in self._bins:
                self._classes[feature][place] = classes_of(partition, self._bins[feature])
                continue
            # Edges of a group only become more.
            known, edges = self._edges[place].get(feature, []), intervals(partition)[0]
            for edge in set(edges) - set(known):
                self._places.setdefault((feature, edge), array("q")).append(place)
            self._edges[place][feature] = edges

    def best(self, group: Group) -> int | None:
        """Return the place of a group; None if there is none that fits."""
        if not self._used or _in_full(group, self._most) == math.inf:
            return None
        states = self._in_full[: self._used]
        looks = np.zeros(self._used, bool)
        for feature, partition in group.all_partitions.items():
            if feature in self._n_classes:
                number = self._n_classes[feature][: self._used]
                # A product of integers, divided by one of them: it is exact.
                states = states / number * self._together(feature, partition, number)
                looks |= number > 1
            else:
                states = states * n_classes(partition)
        fits = (states <= self._most) & looks
        if not fits.any():
            return None
        shared = np.divide(
            self._states[: self._used], states, where=fits, out=np.zeros(self._used)
        )
        return int(shared.argmax())

    def _together(
        self, feature: int, partition: Partition, number: np.ndarray
    ) -> np.ndarray:
        """Return how many classes a partition and that of each group make together."""
        if feature in self._bins:
            others = self._classes[feature][: self._used]
            classes = classes_of(partition, self._bins[feature])
            pairs = n_classes(partition) * others + classes
            pairs.sort(axis=1)
            classes_of_both: np.ndarray = (np.diff(pairs, axis=1) != 0).sum(axis=1) + 1
            return classes_of_both
        edges = intervals(partition)[0]
        lists = [self._places[feature, e] for e in edges if (feature, e) in self._places]
        together = number + len(edges)
        if lists:
            places = np.concatenate([np.frombuffer(one, np.int64) for one in lists])
            together -= np.bincount(places, minlength=self._used)
        return together


def _in_full(group: Group, most: int) -> float:
    """Return the states if classes replace all gates; infinite if there are too many."""
    # Each gate divides its feature, if nothing else does.
    loose = sum(feature not in group.partitions for feature, _ in group.gates)
    if group.combinations << loose > most:
        return math.inf
    states = math.prod(map(n_classes, group.all_partitions.values()))
    return states if states <= most else math.inf


def _bins_of_atoms(groups: Sequence[Group]) -> dict[int, np.ndarray]:
    """Return a bin of each interval, of features of which some classes are no intervals."""
    several = [
        (feature, partition)
        for group in groups
        for feature, partition in group.all_partitions.items()
    ]
    found = {feature for feature, partition in several if isinstance(partition, Atoms)}
    edges: dict[int, set[int]] = {feature: set() for feature in sorted(found)}
    for feature, partition in several:
        if feature in found:
            edges[feature].update(intervals(partition)[0])
    return {f: np.array([*sorted(own), ANY[1]]) for f, own in edges.items()}
