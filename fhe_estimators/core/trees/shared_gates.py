"""Pairs of groups that have gates in common, found without a look at all pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from fhe_estimators.core.trees.groups import Group

#: Pairs that are looked at together, about.
_BLOCK = 2**18


def sharing_gates(groups: Sequence[Group], most_states: int) -> Iterator[list[int]]:
    """Yield the groups before each that have gates in common with it and may fit.

    A gate is *loose* if its feature divides bins by no classes of the group. Of two groups
    with `c` common gates that are loose in both, no table of both, or of more groups, has
    fewer states than ``(c + 1) max(2**l * k)``: the `l` loose gates of one that are not
    common become classes of features of their own, beside `k` combinations of classes.

    Groups that only share gates that are loose in both need so many of these that each has
    one among its rarest few that is among the rarest few of the other: the *prefix* [1]_.

    Parameters
    ----------
    groups : sequence of Group
    most_states : int

    Yields
    ------
    before : list of int
        Places of groups, in order.

    References
    ----------
    .. [1] S. Chaudhuri, V. Ganti, R. Kaushik, "A primitive operator for similarity joins in
       data cleaning", ICDE 2006.
    """
    return _SharedGates(groups, most_states).before_each()


class _Lists(NamedTuple):
    """Group ``places[i]`` has a gate in common with ``listed[first[i]:after[i]]``."""

    places: np.ndarray
    first: np.ndarray
    after: np.ndarray
    listed: np.ndarray


class _SharedGates:
    """What `sharing_gates` knows of all groups."""

    def __init__(self, groups: Sequence[Group], most_states: int) -> None:
        self._size, self._most = len(groups), most_states
        counts = Counter(gate for group in groups for gate in group.gates)
        in_order = sorted(counts, key=lambda gate: (counts[gate], gate))
        numbers = {gate: number for number, gate in enumerate(in_order)}
        #: Of each group, the gates by number, the rarest first, and whether they are loose.
        #: Rows are filled up with a negative number that no other group has.
        width = max((len(group.gates) for group in groups), default=0)
        self._gates = np.repeat(-1 - np.arange(len(groups), dtype=np.int32), width)
        self._gates = self._gates.reshape(len(groups), width)
        self._is_loose = np.zeros((len(groups), width), bool)
        for place, group in enumerate(groups):
            gates = sorted((numbers[gate], gate[0]) for gate in group.gates)
            loose = [feature not in group.partitions for _, feature in gates]
            self._gates[place, : len(gates)] = [number for number, _ in gates]
            self._is_loose[place, : len(gates)] = loose
        self._n_loose = self._is_loose.sum(axis=1)
        self._combinations = np.array([group.combinations for group in groups], float)

    def before_each(self) -> Iterator[list[int]]:
        """Yield places as `sharing_gates` does."""
        lists = self._lists()
        per_group = np.zeros(self._size, np.int64)
        for places, first, after, _ in lists:
            np.add.at(per_group, places, after - first)
        block = per_group.cumsum() // _BLOCK
        for number in np.unique(block):
            start, stop = np.searchsorted(block, [number, number + 1])
            some, before = self._fitting(*self._pairs(lists, start, stop))
            ends = np.searchsorted(some, np.arange(start, stop + 1))
            for low, high in pairwise(ends.tolist()):
                yield before[low:high].tolist()

    def _lists(self) -> list[_Lists]:
        """Return those before each group that have a gate in common with it and may fit."""
        exists = self._gates >= 0
        fixed = exists & ~self._is_loose
        position = self._is_loose.cumsum(axis=1)
        prefix = self._is_loose & (position <= self._prefixes()[:, np.newaxis])
        found = []
        for asking, asked in ((fixed, exists), (self._is_loose, fixed), (prefix, prefix)):
            listed, places = np.nonzero(asked)[0], np.nonzero(asking)[0]
            keys = self._gates[asked].astype(np.int64) * self._size + listed
            order = np.argsort(keys)
            own = self._gates[asking].astype(np.int64) * self._size
            first, after = (np.searchsorted(keys[order], k) for k in (own, own + places))
            found.append(_Lists(places, first, after, listed[order]))
        return found

    def _prefixes(self) -> np.ndarray:
        """Return how many loose gates of each group are its prefix."""
        n_loose = self._n_loose
        lengths = np.zeros(self._size, np.int64)
        for least in range(n_loose.max(initial=0), 0, -1):
            states = np.ldexp(self._combinations * (least + 1), n_loose - least)
            fits = (least <= n_loose) & (states <= self._most)
            lengths[fits] = n_loose[fits] - least + 1
        return lengths

    def _pairs(
        self, lists: Sequence[_Lists], start: int, stop: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of groups from `start` to `stop` and others, in order."""
        keys = [np.empty(0, np.int64)]
        for places, first, after, listed in lists:
            some = slice(*np.searchsorted(places, [start, stop]))
            counts = after[some] - first[some]
            # The ranges from first to after, one after the other.
            jumps = np.repeat(first[some] - (counts.cumsum() - counts), counts)
            others = listed[jumps + np.arange(len(jumps))]
            keys.append(np.repeat(places[some], counts) * self._size + others)
        return np.divmod(np.unique(np.concatenate(keys)), self._size)

    def _fitting(
        self, places: np.ndarray, others: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs that may fit."""
        of_us, of_them, of_both = np.zeros((3, len(places)), np.int64)
        theirs = self._gates.T.take(others, axis=1)
        loose_there = self._is_loose.T.take(others, axis=1)
        for gates, loose in zip(self._gates.T, self._is_loose.T, strict=True):
            same = theirs == gates[places]
            here, there = same.any(axis=0) & loose[places], (same & loose_there).any(axis=0)
            of_us += here
            of_them += there
            of_both += here & there
        least = np.maximum(
            np.ldexp(self._combinations[places], self._n_loose[places] - of_us),
            np.ldexp(self._combinations[others], self._n_loose[others] - of_them),
        )
        fits = least * (of_both + 1) <= self._most
        return places[fits], others[fits]
