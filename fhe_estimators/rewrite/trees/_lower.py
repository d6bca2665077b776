"""Integer trees as integer graphs: sums of bits and of table look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from fhe_estimators.graph import Graph, bits_of_range
from fhe_estimators.rewrite.trees._cover import cover, merge
from fhe_estimators.rewrite.trees._groups import Group, factored
from fhe_estimators.rewrite.trees._inputs import Bits
from fhe_estimators.rewrite.trees._tree import ANY, Tree, leaves

#: Groups of each partial sum.
_Parts = list[list[Group]]


class Lowered(NamedTuple):
    """An integer graph, and what its results lack.

    The outputs, of shape (n_rows, n_outputs * partial_sums), hold the partial sums of one
    output side by side. These and `offset`, of shape (n_outputs,), add up to the sum of
    the trees.
    """

    graph: Graph
    offset: np.ndarray


@dataclass(frozen=True, eq=False)
class TableSum:
    """A sum of trees as a constant, functions of one feature, and tables.

    Parameters
    ----------
    bits : Bits
    constant : ndarray of int64 of shape (n_outputs,)
    singles : sequence of Group
        Functions of one feature, hence linear in its bits: they cost nothing.
    groups : sequence of Group
        Those that need tables.
    """

    bits: Bits
    constant: np.ndarray
    singles: Sequence[Group]
    groups: Sequence[Group]

    @classmethod
    def of(cls, trees: Sequence[Tree], bits: Bits, table_bits: int) -> TableSum:
        """Cover simplified trees by tables of at most `table_bits` bits if possible.

        Large pieces of a tree make few tables, small ones find more to be merged with:
        trees are cut in pieces of several sizes, and the fewest tables are taken.
        """
        most_states = 1 << table_bits
        sizes = sorted({min(size, most_states) for size in (4, 8, most_states)})
        cuts = (cls.unmerged(trees, bits, size) for size in reversed(sizes))
        sums = (replace(cut, groups=merge(cut.groups, most_states)) for cut in cuts)
        return min(sums, key=lambda merged: merged.n_tables)

    @classmethod
    def unmerged(cls, trees: Sequence[Tree], bits: Bits, most_states: int) -> TableSum:
        """Cover simplified trees, each by itself."""
        constants, groups = [], []
        for source, tree in enumerate(trees):
            constant, covering = cover(tree, source, most_states)
            constants.append(constant)
            groups += covering
        # What is free is set aside first: merged with others it would fill tables.
        singles = [group for group in groups if len(group.features) == 1]
        several = [group for group in groups if len(group.features) > 1]
        return cls(bits, np.sum(constants, axis=0), singles, several)

    @cached_property
    def _tables(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Tables of each group, of shape (states, n_tables), and their weights."""
        n_features = max(self.bits.features) + 1
        return [factored(group.table(n_features)) for group in self.groups]

    @property
    def n_tables(self) -> int:
        """Number of look-ups."""
        return sum(len(weights) for _, weights in self._tables)

    @property
    def table_bits(self) -> int:
        """Bits that the largest table reads; 0 without tables."""
        most = max((group.states for group in self.groups), default=1)
        return (most - 1).bit_length()

    def lowered(self, partial_sums: int = 1, encoding: str = "thermometer") -> Lowered:
        """Return the integer graph.

        Parameters
        ----------
        partial_sums : int, default=1
            Into how many sums, which the client adds up, tables are divided. Narrower
            sums of fewer tables leave more room for noise.
        encoding : {'thermometer', 'integer', 'digits'}, default='thermometer'
            See `Bits.provided`.

        Returns
        -------
        lowered : Lowered
        """
        groups, singles = self._parts(partial_sums)
        linear, last = self._linear(singles)
        weights, first = self._indices()
        used = weights.any(axis=1) | linear.any(axis=(1, 2))
        chain, provided = self.bits.provided(encoding, used)
        bits, linear = chain.last, _flat(linear[provided])
        # The bits of a single add up to its function less the value of its last bin.
        free_bounds = self._bounds(singles) - last
        offset = self.constant + last.sum(axis=1)
        if not self.n_tables:
            chain.add("MatMul", bits, linear, free_bounds)
            return Lowered(chain.graph(), offset)

        states = max(group.states for group in self.groups)
        ends = (-first.max(), states - 1 - first.min())
        index = chain.add("MatMul", bits, weights[provided], ends)
        if first.any():
            index = chain.add("Add", index, first[np.newaxis], (0, states - 1))
        tables = np.concatenate(
            [np.pad(t, ((0, states - len(t)), (0, 0))) for t, _ in self._tables], axis=1
        )
        ends = (tables.min(), tables.max())
        looked_up = chain.add("TableLookup", index, tables, ends, first=0)
        bounds = self._bounds(groups)
        total = chain.add("MatMul", looked_up, _flat(self._spread(groups)), bounds)
        if linear.any():
            free = chain.add("MatMul", bits, linear, free_bounds)
            bounds = self._bounds([a + b for a, b in zip(groups, singles, strict=True)])
            bounds = bounds - last
            total = chain.add("Add", total, free, bounds)
        low, high = bounds
        unsigned = (0, (high - low).max())
        if bits_of_range(*unsigned) < bits_of_range(low.min(), high.max()):
            chain.add("Add", total, -_flat(low[np.newaxis]), unsigned)
            offset = offset + low.sum(axis=1)
        return Lowered(chain.graph(), offset)

    def _parts(self, partial_sums: int) -> tuple[_Parts, _Parts]:
        """Divide groups and singles, those of one tree together where possible.

        Fragments of one tree are never non-zero together: the sum of those in one part is
        as narrow as the largest of them.
        """
        ordered = sorted(self.groups, key=lambda group: group.fragments[0].source)
        chunks = np.array_split(np.arange(len(ordered)), partial_sums)
        groups = [[ordered[place] for place in chunk] for chunk in chunks]
        home = {
            fragment.source: number
            for number, part in reversed(list(enumerate(groups)))
            for group in part
            for fragment in group.fragments
        }
        singles: _Parts = [[] for _ in groups]
        for group in self.singles:
            singles[home.get(group.fragments[0].source, 0)].append(group)
        return groups, singles

    def _bounds(self, parts: _Parts) -> np.ndarray:
        """Return lowest and highest sums, of shape (2, n_outputs, n_parts)."""
        bounds = np.zeros((2, len(self.constant), len(parts)), np.int64)
        for number, part in enumerate(parts):
            values: dict[int, list[np.ndarray]] = {}
            for fragment in (f for group in part for f in group.fragments):
                found = values.setdefault(fragment.source, [np.zeros_like(self.constant)])
                found += [leaf.value for leaf in leaves(fragment.tree)]
            for found in values.values():
                bounds[0, :, number] += np.min(found, axis=0)
                bounds[1, :, number] += np.max(found, axis=0)
        return bounds

    def _linear(self, parts: _Parts) -> tuple[np.ndarray, np.ndarray]:
        """Return weights of the bits, and what their sums lack.

        A function `h` of a bin is ``h(last) + sum_j (h(j) - h(j + 1)) [bin <= j]``.

        Returns
        -------
        weights : ndarray of int64 of shape (n_bits, n_outputs, n_parts)
        last : ndarray of int64 of shape (n_outputs, n_parts)
        """
        weights = np.zeros((len(self.bits), len(self.constant), len(parts)), np.int64)
        last = np.zeros(weights.shape[1:], np.int64)
        for number, part in enumerate(parts):
            for group in part:
                (feature,) = group.features
                rows = self.bits.all_bins(feature)
                values = group.evaluate(rows)
                start = self.bits.place(feature, 0)
                place = slice(start, start + len(rows) - 1)
                weights[place, :, number] += values[:-1] - values[1:]
                last[:, number] += values[-1]
        return weights, last

    def _indices(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what makes the index of each table from the bits.

        Returns
        -------
        weights : ndarray of int64 of shape (n_bits, n_tables)
        first : ndarray of int64 of shape (n_tables,)
        """
        weights = np.zeros((len(self.bits), len(self.groups)), np.int64)
        first = np.zeros(len(self.groups), np.int64)
        for number, group in enumerate(self.groups):
            for feature, edges, weight in group.digits():
                for edge in edges:
                    weights[self.bits.place(feature, edge), number] += weight
            step = group.states // (len(group.gates) + 1)
            # [low < bin <= high] = [bin <= high] - [bin <= low]
            for feature, low, high in group.gates:
                if high < ANY[1]:
                    weights[self.bits.place(feature, high), number] += step
                else:
                    first[number] += step
                if low > ANY[0]:
                    weights[self.bits.place(feature, low), number] -= step
        counts = [len(directions) for _, directions in self._tables]
        return np.repeat(weights, counts, axis=1), np.repeat(first, counts)

    def _spread(self, parts: _Parts) -> np.ndarray:
        """Return the weights of tables, of shape (n_tables, n_outputs, n_parts)."""
        part_of = {id(group): number for number, part in enumerate(parts) for group in part}
        spread = np.zeros((self.n_tables, len(self.constant), len(parts)), np.int64)
        row = 0
        for group, (_, directions) in zip(self.groups, self._tables, strict=True):
            rows = slice(row, row + len(directions))
            spread[rows, :, part_of[id(group)]] = directions
            row = rows.stop
        return spread


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1)
