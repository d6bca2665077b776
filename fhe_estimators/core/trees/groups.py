"""Groups: pieces of trees that one table evaluates.

A group is a function of the *gates* that hold all together and of the classes into which
edges divide the bins of features. With `g` gates, and ``k`` edges of each feature, it has
``(g + 1) prod(k + 1)`` states: the number of gates that hold, which matters only if it is
all of them, and one digit for each feature in mixed radix. The index of the state is a
sum of the bits that the client sends, with integer weights: no bootstrap is needed to
find it, and one to look it up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np

from fhe_estimators.core.trees.tree import (
    ANY,
    Box,
    Leaf,
    Tree,
    evaluate_tree,
    leaves,
    mapped,
    splits,
)

#: ``(feature, low, high)``, which holds where ``low < bin <= high``.
Gate = tuple[int, int, int]
#: The edges that divide the bins of each feature: bit ``i`` is set for edge ``i``.
EdgeMasks = Mapping[int, int]


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
        masks: dict[int, int] = {}
        for split in splits(self.tree):
            masks[split.feature] = masks.get(split.feature, 0) | 1 << split.edge
        return Group.of(self.gates, masks, (self,))

    def evaluate(self, bins: np.ndarray) -> np.ndarray:
        """Return the values of rows given by their bins."""
        values = evaluate_tree(self.tree, bins)
        for feature, low, high in self.gates:
            outside = (bins[:, feature] <= low) | (bins[:, feature] > high)
            values[outside] = 0
        return values


@dataclass(frozen=True, eq=False)
class Group:
    """A sum of fragments that is a function of `gates` and the edges in `masks` alone."""

    gates: frozenset[Gate]
    masks: EdgeMasks
    fragments: tuple[Fragment, ...]

    @classmethod
    def of(
        cls, gates: Collection[Gate], masks: EdgeMasks, fragments: tuple[Fragment, ...]
    ) -> Group:
        """Return a group; the edges of a gate replace it if that takes no more states."""
        gates = frozenset(gates)
        for gate in sorted(gates):
            others, more = gates - {gate}, _with_gates(masks, [gate])
            if _states(others, more) <= _states(gates, masks):
                gates, masks = others, more
        return cls(gates, masks, fragments)

    @cached_property
    def states(self) -> int:
        """Number of states."""
        return _states(self.gates, self.masks)

    @cached_property
    def features(self) -> frozenset[int]:
        """The features that the group looks at."""
        return frozenset(self.masks) | {feature for feature, _, _ in self.gates}

    @cached_property
    def edges(self) -> frozenset[tuple[int, int]]:
        """The edges that the group looks at, as pairs of feature and edge."""
        masks = _with_gates(self.masks, self.gates)
        return frozenset((f, edge) for f, mask in masks.items() for edge in edges_of(mask))

    @property
    def source(self) -> int | None:
        """The tree that all fragments come from; None if there are several."""
        sources = {fragment.source for fragment in self.fragments}
        return sources.pop() if len(sources) == 1 else None

    @cached_property
    def direction(self) -> tuple[int, ...] | None:
        """The vector whose multiples all values are; None if there is none."""
        trees = (fragment.tree for fragment in self.fragments)
        values = np.array([leaf.value for tree in trees for leaf in leaves(tree)])
        found = {tuple(_primitive(value).tolist()) for value in values if value.any()}
        return found.pop() if len(found) == 1 else None

    def mapped(self, function: Callable[[Leaf], Leaf]) -> Group:
        """Return the group of the same fragments with other leaves."""
        fragments = tuple(
            replace(fragment, tree=mapped(fragment.tree, function))
            for fragment in self.fragments
        )
        return replace(self, fragments=fragments)

    def merged(self, other: Group, most_states: int) -> Group | None:
        """Return the group of the fragments of both, if it has no more states."""
        common = self.gates & other.gates
        masks = dict(_with_gates(self.masks, self.gates - common))
        for feature, edges in _with_gates(other.masks, other.gates - common).items():
            masks[feature] = masks.get(feature, 0) | edges
        # Whatever becomes of the gates.
        if _states((), masks) > most_states:
            return None
        group = Group.of(common, masks, self.fragments + other.fragments)
        return group if group.states <= most_states else None

    def evaluate(self, bins: np.ndarray) -> np.ndarray:
        """Return the values of rows given by their bins."""
        values: np.ndarray = np.sum([f.evaluate(bins) for f in self.fragments], axis=0)
        return values

    def digits(self) -> list[tuple[int, list[int], int]]:
        """Return feature, edges and weight in the index of each digit of mixed radix."""
        weight, digits = 1, []
        for feature in sorted(self.masks):
            edges = edges_of(self.masks[feature])
            digits.append((feature, edges, weight))
            weight *= len(edges) + 1
        return digits

    def table(self, n_features: int) -> np.ndarray:
        """Return the values of all states, of shape (states, n_outputs).

        Digits count the edges that a bin does not exceed, hence the lowest bin has the
        largest digit. A state in which not all gates hold is zero.
        """
        digits = self.digits()
        choices = [
            [self._bin(feature, edges, digit) for digit in range(len(edges) + 1)]
            for feature, edges, _ in reversed(digits)
        ]
        bins = np.zeros((math.prod(map(len, choices)), n_features), np.int64)
        for feature, low, _ in self.gates:
            bins[:, feature] = low + 1
        for row, chosen in enumerate(product(*choices)):
            for (feature, _, _), a_bin in zip(reversed(digits), chosen, strict=True):
                bins[row, feature] = a_bin
        values = self.evaluate(bins)
        zeros = np.zeros((len(self.gates) * len(bins), values.shape[1]), np.int64)
        return np.concatenate([zeros, values])

    def _bin(self, feature: int, edges: list[int], digit: int) -> int:
        """Return a bin that `digit` of the `edges` are not below, inside of the gates.

        Where there is none, the state never comes up with all gates, and any bin will do.
        """
        bounds = [-1, *edges, ANY[1]]
        place = len(edges) - digit
        low, high = bounds[place], bounds[place + 1]
        for gated, gate_low, gate_high in self.gates:
            if gated == feature and max(low, gate_low) < min(high, gate_high):
                low = max(low, gate_low)
        return low + 1


def edges_of(mask: int) -> list[int]:
    """Return the places of the bits of `mask` that are set, from 0 on."""
    return [edge for edge in range(mask.bit_length()) if mask >> edge & 1]


def gates_of(box: Box) -> frozenset[Gate]:
    """Return the gates of a path."""
    return frozenset((feature, low, high) for feature, (low, high) in box.items())


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


def _states(gates: Collection[Gate], masks: EdgeMasks) -> int:
    return (len(gates) + 1) * math.prod(mask.bit_count() + 1 for mask in masks.values())


def _with_gates(masks: EdgeMasks, gates: Collection[Gate]) -> EdgeMasks:
    """Return masks with the edges of gates, which tell whether these hold."""
    more = dict(masks)
    for feature, low, high in gates:
        edges = (1 << low if low > ANY[0] else 0) | (1 << high if high < ANY[1] else 0)
        more[feature] = more.get(feature, 0) | edges
    return more
