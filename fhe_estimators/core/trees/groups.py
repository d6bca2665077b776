"""Groups: pieces of trees that one table evaluates.

A group is a function of the *gates* that hold all together and of the classes into which
edges, and sets, divide the bins of features. With `g` gates, and ``k`` classes of each
feature, it has ``(g + 1) prod(k)`` states: the number of gates that hold, which matters
only if it is all of them, and one digit for each feature in mixed radix. Any function of
one feature's bin is a sum of the bits that the client sends, with integer weights; so is
the index of the state: no bootstrap is needed to find it, and one to look it up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from fhe_estimators.core.trees.partitions import (
    ANY,
    Bounds,
    Partition,
    contains,
    intersection,
    intervals,
    joined,
    n_classes,
    of_set,
)
from fhe_estimators.core.trees.tree import (
    Box,
    Leaf,
    Tree,
    evaluate_tree,
    leaves,
    mapped,
    splits,
)

#: ``(feature, bounds)``, which holds where the bin of the feature is in the set.
Gate = tuple[int, Bounds]
#: The classes that bins of each feature are divided into.
Partitions = Mapping[int, Partition]


@dataclass(frozen=True, eq=False)
class Fragment:
    """The function that is `tree` where all gates hold, and zero elsewhere.

    Fragments of one `source`, a tree of the ensemble, are never non-zero together.
    """

    gates: frozenset[Gate]
    tree: Tree
    source: int

    def as_group(self) -> Group:
        """Return the group with this fragment only."""
        parts: dict[int, Partition] = {}
        for split in splits(self.tree):
            known = parts.get(split.feature, 0)
            parts[split.feature] = joined(known, of_set(split.bounds))
        return Group.of(self.gates, parts, (self,))

    def evaluate(self, bins: np.ndarray, held: Collection[Gate] = ()) -> np.ndarray:
        """Return the values of rows given by their bins, all of which `held` gates hold."""
        values = evaluate_tree(self.tree, bins)
        for feature, bounds in self.gates.difference(held):
            values[~contains(bounds, bins[:, feature])] = 0
        return values


@dataclass(frozen=True, eq=False)
class Group:
    """A sum of fragments that is a function of `gates` and classes of bins alone."""

    gates: frozenset[Gate]
    partitions: Partitions
    fragments: tuple[Fragment, ...]

    @classmethod
    def of(
        cls,
        gates: Collection[Gate],
        partitions: Partitions,
        fragments: tuple[Fragment, ...],
    ) -> Group:
        """Return a group; classes of a gate replace it if that takes no more states."""
        gates = frozenset(gates)
        for gate in sorted(gates):
            # Beside other gates, classes of a feature of its own take more states.
            if gate[0] not in partitions and len(gates) > 1:
                continue
            others, more = gates - {gate}, with_gates(partitions, [gate])
            if _states(others, more) <= _states(gates, partitions):
                gates, partitions = others, more
        return cls(gates, partitions, fragments)

    @cached_property
    def states(self) -> int:
        """Number of states."""
        return _states(self.gates, self.partitions)

    @property
    def combinations(self) -> int:
        """Number of combinations of classes: states in which all gates hold."""
        return self.states // (len(self.gates) + 1)

    @cached_property
    def features(self) -> frozenset[int]:
        """The features that the group looks at."""
        return frozenset(self.partitions) | {feature for feature, _ in self.gates}

    @cached_property
    def all_partitions(self) -> Partitions:
        """The classes that bins are divided into, by the gates too."""
        return with_gates(self.partitions, self.gates)

    @property
    def source(self) -> int | None:
        """The tree that all fragments come from; None if there are several."""
        sources = {fragment.source for fragment in self.fragments}
        return sources.pop() if len(sources) == 1 else None

    @cached_property
    def direction(self) -> tuple[int, ...] | None:
        """The vector whose multiples all values are; None if there is none."""
        values = [leaf.value for f in self.fragments for leaf in leaves(f.tree)]
        if len(values[0]) == 1:
            return (1,) if any(value[0] for value in values) else None
        found = {tuple(_primitive(value).tolist()) for value in values if value.any()}
        return found.pop() if len(found) == 1 else None

    def mapped(self, function: Callable[[Leaf], Leaf]) -> Group:
        """Return the group of the same fragments with other leaves."""
        fragments = (
            Fragment(f.gates, mapped(f.tree, function), f.source) for f in self.fragments
        )
        return Group(self.gates, self.partitions, tuple(fragments))

    def merged(self, other: Group, most_states: int) -> Group | None:
        """Return the group of the fragments of both, if it has no more states."""
        common = self.gates & other.gates
        parts = dict(with_gates(self.partitions, self.gates - common))
        for feature, part in with_gates(other.partitions, other.gates - common).items():
            parts[feature] = joined(parts.get(feature, 0), part)
        # Whatever becomes of the gates.
        if _states((), parts) > most_states:
            return None
        group = Group.of(common, parts, self.fragments + other.fragments)
        return group if group.states <= most_states else None

    def evaluate(self, bins: np.ndarray, held: Collection[Gate] = ()) -> np.ndarray:
        """Return the values of rows given by their bins, all of which `held` gates hold."""
        first, *others = (f.evaluate(bins, held) for f in self.fragments)
        for values in others:
            first += values
        return first

    def digits(self) -> list[tuple[int, Partition, int]]:
        """Return feature, classes and weight in the index of each digit of mixed radix."""
        weight, digits = 1, []
        for feature, partition in sorted(self.partitions.items()):
            digits.append((feature, partition, weight))
            weight *= n_classes(partition)
        return digits

    def table(self, n_features: int) -> np.ndarray:
        """Return the values of all states, of shape (states, n_outputs).

        Digits are the numbers of classes: where these are intervals, the lowest bin has the
        largest one. A state in which not all gates hold is zero.
        """
        if not self.partitions:
            # No tree compares, and all have these gates.
            value = sum(next(leaves(f.tree)).value for f in self.fragments)
            return np.outer(np.arange(len(self.gates) + 1) == len(self.gates), value)
        divided = sorted(self.partitions, reverse=True)
        chosen = list(product(*(self._bins(f, self.partitions[f]) for f in divided)))
        bins = np.zeros((len(chosen), n_features), np.int64)
        for feature, bounds in self.gates:
            bins[:, feature] = bounds[0] + 1
        bins[:, divided] = chosen
        held = [gate for gate in self.gates if gate[0] not in self.partitions]
        values = self.evaluate(bins, held)
        zeros = np.zeros((len(self.gates) * len(bins), values.shape[1]), np.int64)
        return np.concatenate([zeros, values])

    def _bins(self, feature: int, partition: Partition) -> list[int]:
        """Return a bin of each class, inside of the gates.

        Where there is none, the state never comes up with all gates, and any bin will do.
        """
        gates = [bounds for gated, bounds in self.gates if gated == feature]
        edges, classes = intervals(partition)
        ends = [ANY[0], *edges, ANY[1]]
        bins: dict[int, int] = {}
        inside: set[int] = set()
        for number, a_class in enumerate(classes):
            interval: Bounds = (ends[number], ends[number + 1])
            allowed = interval
            for bounds in gates:
                allowed = intersection(allowed, bounds)
            if allowed and a_class not in inside:
                inside.add(a_class)
                bins[a_class] = allowed[0] + 1
            else:
                bins.setdefault(a_class, interval[0] + 1)
        return [bins[a_class] for a_class in range(len(bins))]


def gates_of(box: Box) -> frozenset[Gate]:
    """Return the gates of a path."""
    return frozenset(box.items())


def _primitive(vector: np.ndarray) -> np.ndarray:
    """Return the shortest integer vector on the line of an integer vector."""
    sign = np.sign(vector[np.flatnonzero(vector)[0]])
    shortest: np.ndarray = sign * vector // np.gcd.reduce(vector)
    return shortest


def factored(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write an integer matrix as a product of two with as few terms as we can find.

    Parameters
    ----------
    values : ndarray of int64 of shape (states, n_outputs)

    Returns
    -------
    tables : ndarray of int64 of shape (states, n_tables)
    weights : ndarray of int64 of shape (n_tables, n_outputs)
        Such that ``tables @ weights == values``. There are as many tables as the rank if
        that many rows, or columns, generate all with integer coefficients, and never more
        than different rows or columns.
    """
    if values.shape[1] == 1 and values.any():
        return values, np.ones((1, 1), np.int64)
    rows = _generators(values)
    columns = _generators(values.T)
    if len(rows[0]) <= len(columns[0]):
        return rows[1], rows[0]
    return columns[0].T, columns[1].T


def _generators(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows, and the integer coefficients that give all rows of a matrix."""
    lines: dict[tuple[int, ...], int] = {}
    multiples = {}
    for number, row in enumerate(matrix):
        if row.any():
            line = _primitive(row)
            place = lines.setdefault(tuple(line.tolist()), len(lines))
            multiples[number, place] = row @ line // (line @ line)
    generators = np.array(list(lines), np.int64).reshape(len(lines), matrix.shape[1])
    coefficients = np.zeros((len(matrix), len(lines)), np.int64)
    for at, multiple in multiples.items():
        coefficients[at] = multiple
    # Fewer lines do if the others are integer combinations of them.
    fewer = generators[:0]
    for line in generators[np.argsort(np.abs(generators).sum(axis=1), kind="stable")]:
        more = np.vstack([fewer, line])
        if np.linalg.matrix_rank(more) == len(more):
            fewer = more
    solution = np.linalg.lstsq(fewer.T.astype(float), matrix.T, rcond=None)[0].T
    rounded = np.rint(solution).astype(np.int64)
    if len(fewer) < len(generators) and np.array_equal(rounded @ fewer, matrix):
        return fewer, rounded
    return generators, coefficients


def _states(gates: Collection[Gate], partitions: Partitions) -> int:
    return (len(gates) + 1) * math.prod(map(n_classes, partitions.values()))


def with_gates(partitions: Partitions, gates: Collection[Gate]) -> Partitions:
    """Return partitions that tell whether gates hold, too."""
    more = dict(partitions)
    for feature, bounds in gates:
        more[feature] = joined(more.get(feature, 0), _of_gate(bounds))
    return more


def _of_gate(bounds: Bounds) -> Partition:
    """Return the classes that replace a gate."""
    if len(bounds) > 2:
        return of_set(bounds)
    # Two edges: one more class than two, and merging stays fast.
    return sum(1 << end for end in bounds if ANY[0] < end < ANY[1])
