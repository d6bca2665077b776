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

#: Bits of a digit of a number that counts, of a group, gates that it has in common with
#: another one: all, those that are loose in one, in the other, in both.
_DIGIT = 15
_LARGEST = (1 << _DIGIT) - 1
_COMMON, _OF_US, _OF_THEM, _OF_BOTH = (1 << _DIGIT * place for place in range(4))
_OF_ALL = _COMMON + _OF_US + _OF_THEM + _OF_BOTH


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
        self._with_gates = _WithGates(groups, most_states)
        self._by_classes = _ByClasses(groups, most_states)

    def packed(self, tell: Callable[[], object]) -> dict[int, Group]:
        """Return merged groups by the number of the first that is part of each.

        Parameters
        ----------
        tell : callable
            Called for each group that is packed.
        """
        for number, group in enumerate(self._groups):
            best: tuple[float, int, Group] | None = None
            for place in self._near(group):
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
            self._with_gates.put(place, self._packed[place])
            self._by_classes.put(place, self._packed[place])
            tell()
        return dict(zip(self._first, self._packed, strict=True))

    def _near(self, group: Group) -> list[int]:
        """Return the places of groups to try to merge with a group."""
        found = self._with_gates.near(group)
        best = self._by_classes.best(group)
        return sorted({*found} if best is None else {*found, best})


class _WithGates:
    """Finds groups that have gates in common with a group and may fit.

    A gate is *loose* if its feature divides bins by no classes of the group. Of two groups
    with `c` common gates that are loose in both, no table of both has fewer states than
    ``(c + 1) max(2**l * k)``: the `l` loose gates of one that are not common become classes
    of features of their own, beside `k` combinations of classes.

    Parameters
    ----------
    groups : sequence of Group
        All that there are.
    most_states : int
    """

    def __init__(self, groups: Sequence[Group], most_states: int) -> None:
        self._most = most_states
        gates = {gate for group in groups for gate in group.gates}
        self._numbers = {gate: number for number, gate in enumerate(sorted(gates))}
        #: By number of a gate, and whether it is loose in another group: what it adds to
        #: counts of common gates. Zero but for the gates of one group at a time.
        self._marks = np.zeros((len(gates) + 1, 2), np.int64)
        width = max((len(group.gates) for group in groups), default=0)
        self._gates = np.full((width, len(groups)), 2 * len(gates), np.int32)
        self._n_loose = np.zeros(len(groups), np.int64)
        self._n_classes = np.ones(len(groups))
        #: Places of groups by gate that is loose, or is not.
        self._places: dict[tuple[int, bool], array[int]] = {}
        self._listed: list[set[tuple[int, bool]]] = [set() for _ in groups]

    def _of(self, group: Group) -> tuple[list[int], list[bool], int]:
        """Return numbers of gates, whether they are loose, and combinations of classes."""
        gates = [self._numbers[gate] for gate in group.gates]
        loose = [feature not in group.partitions for feature, _ in group.gates]
        return gates, loose, math.prod(map(n_classes, group.partitions.values()))

    def put(self, place: int, group: Group) -> None:
        """Store a group under the index `place`."""
        gates, loose, self._n_classes[place] = self._of(group)
        self._n_loose[place] = sum(loose)
        self._gates[:, place] = 2 * len(self._numbers)
        self._gates[: len(gates), place] = [
            2 * gate + free for gate, free in zip(gates, loose, strict=True)
        ]
        # Gates that a merged group has lost stay listed: they are counted anew.
        for entry in set(zip(gates, loose, strict=True)) - self._listed[place]:
            self._places.setdefault(entry, array("q")).append(place)
            self._listed[place].add(entry)

    def near(self, group: Group) -> list[int]:
        """Return the places of groups with gates in common that may fit."""
        gates, is_loose, combinations = self._of(group)
        loose = [gate for gate, free in zip(gates, is_loose, strict=True) if free]
        lists = self._lists(gates, loose, combinations)
        if not lists:
            return []
        places = np.frombuffer(b"".join(lists), np.int64)
        self._marks[gates] = _COMMON, _COMMON + _OF_THEM
        self._marks[loose] = _COMMON + _OF_US, _OF_ALL
        seen = self._marks.take(self._gates.take(places, axis=1)).sum(axis=0)
        self._marks[gates] = 0
        of_us, of_them = seen >> _DIGIT & _LARGEST, seen >> 2 * _DIGIT & _LARGEST
        limit = self._most / ((seen >> 3 * _DIGIT) + 1)
        fits = np.ldexp(float(combinations), len(loose) - of_us) <= limit
        if not fits.any():
            return []
        theirs = np.ldexp(self._n_classes[places], self._n_loose[places] - of_them)
        fits &= (theirs <= limit) & (seen > 0)
        # A place can be in several lists.
        return sorted({*places[fits].tolist()})

    def _lists(
        self, gates: Sequence[int], loose: Sequence[int], combinations: int
    ) -> list[array[int]]:
        """Return lists of places that have all that may fit."""
        found = [self._places.get((gate, False)) for gate in gates]
        found += [self._places.get((gate, True)) for gate in set(gates) - set(loose)]
        # Of groups in no list so far, that many loose gates have to be the same.
        for least in range(1, len(loose) + 1):
            if (least + 1) * 2 ** (len(loose) - least) * combinations <= self._most:
                of_loose = [self._places.get((gate, True)) for gate in loose]
                of_loose.sort(key=lambda places: len(places or ()))
                found += of_loose[: len(loose) - least + 1]
                break
        return [places for places in found if places]


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
        self._bins = _bins_of_atoms(groups)
        self._classes = {
            feature: np.zeros((len(groups), len(bins)), np.int32)
            for feature, bins in self._bins.items()
        }

    def put(self, place: int, group: Group) -> None:
        """Store a group under the index `place`."""
        self._used = max(self._used, place + 1)
        self._states[place] = group.states
        states = _in_full(group)
        self._in_full[place] = states if states <= self._most else math.inf
        if states > self._most:
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
        if not self._used or _in_full(group) > self._most:
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


def _in_full(group: Group) -> int:
    """Return the states if classes replace all gates."""
    return math.prod(map(n_classes, group.all_partitions.values()))


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
