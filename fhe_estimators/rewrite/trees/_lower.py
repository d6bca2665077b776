"""Integer trees as integer graphs: sums of bits and of table look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from fhe_estimators.graph import Graph, Node, Value, bits_of_range
from fhe_estimators.rewrite.trees._cover import cover, merge
from fhe_estimators.rewrite.trees._groups import Group, factored
from fhe_estimators.rewrite.trees._tree import ANY, Tree, leaves


@dataclass(frozen=True)
class Bits:
    """The bits that the client sends: ``bin of feature <= edge``, for all edges.

    Parameters
    ----------
    features : tuple of int
        The features that are sent, in order.
    sizes : tuple of int
        Edges of each of them: so many bits, one after the other.
    """

    features: tuple[int, ...]
    sizes: tuple[int, ...]

    def __len__(self) -> int:
        return sum(self.sizes)

    @cached_property
    def _first(self) -> dict[int, int]:
        starts = np.cumsum([0, *self.sizes])[:-1].tolist()
        return dict(zip(self.features, starts, strict=True))

    def place(self, feature: int, edge: int) -> int:
        """Return which bit tells on what side of an edge a feature lies."""
        return self._first[feature] + edge

    def all_bins(self, feature: int) -> np.ndarray:
        """Return a row for each bin of a feature; other features are in bin 0."""
        size = self.sizes[self.features.index(feature)]
        rows = np.zeros((size + 1, max(self.features) + 1), np.int64)
        rows[:, feature] = np.arange(size + 1)
        return rows


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
        """Cover simplified trees by tables of at most `table_bits` bits if possible."""
        constants, groups = [], []
        for source, tree in enumerate(trees):
            constant, covering = cover(tree, source, 1 << table_bits)
            constants.append(constant)
            groups += covering
        # What is free is set aside first: merged with others it would fill tables.
        singles = [group for group in groups if len(group.features) == 1]
        several = [group for group in groups if len(group.features) > 1]
        return cls(
            bits, np.sum(constants, axis=0), singles, merge(several, 1 << table_bits)
        )

    @cached_property
    def _tables(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Tables of each group, of shape (states, n_tables), and their weights."""
        n_features = max(self.bits.features, default=0) + 1
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

    def lowered(self, partial_sums: int = 1) -> Lowered:
        """Return the integer graph.

        Parameters
        ----------
        partial_sums : int, default=1
            Into how many sums, which the client adds up, tables are divided. Narrower
            sums of fewer tables leave more room for noise.

        Returns
        -------
        lowered : Lowered
        """
        groups, singles = self._parts(partial_sums)
        linear, last = self._linear(singles)
        # The bits of a single add up to its function less the value of its last bin.
        free_bounds = self._bounds(singles) - last
        offset = self.constant + last.sum(axis=1)
        chain = _Chain(Value("bits", (None, len(self.bits)), 0, 1, self.bits.sizes))
        if not self.groups:
            chain.add("MatMul", "bits", _flat(linear), free_bounds)
            return Lowered(chain.graph(), offset)

        weights, first = self._indices()
        states = max(group.states for group in self.groups)
        chain.add("MatMul", "bits", weights, (-first.max(), states - 1 - first.min()))
        if first.any():
            chain.add("Add", chain.last, first[np.newaxis], (0, states - 1))
        tables = np.concatenate(
            [np.pad(t, ((0, states - len(t)), (0, 0))) for t, _ in self._tables], axis=1
        )
        ends = (tables.min(), tables.max())
        looked_up = chain.add("TableLookup", chain.last, tables, ends, first=0)
        bounds = self._bounds(groups)
        total = chain.add("MatMul", looked_up, _flat(self._spread(groups)), bounds)
        if linear.any():
            free = chain.add("MatMul", "bits", _flat(linear), free_bounds)
            bounds = self._bounds([a + b for a, b in zip(groups, singles, strict=True)])
            bounds = bounds - last
            chain.add("Add", total, free, bounds)
        low, high = bounds
        shifted = (0, (high - low).max())
        if bits_of_range(*shifted) < bits_of_range(low.min(), high.max()):
            # Unsigned, the results are narrower.
            chain.add("Add", chain.last, -_flat(low[np.newaxis]), shifted)
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
                values = sum(fragment.evaluate(rows) for fragment in group.fragments)
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


class _Chain:
    """Collects the nodes of an integer graph of one input."""

    def __init__(self, source: Value) -> None:
        self._source = source
        self._nodes: list[Node] = []
        self._constants: dict[str, np.ndarray] = {}
        self._values: dict[str, Value] = {}
        self.last = source.name

    def add(
        self,
        op: str,
        operand: str,
        other: np.ndarray | str,
        bounds: tuple[Any, Any],
        **attributes: Any,
    ) -> str:
        """Add a node, with a constant or another result beside its operand."""
        name = f"{op.lower()}_{len(self._nodes)}"
        if isinstance(other, str):
            size = (self._values[other].shape or ())[-1]
        else:
            size = other.shape[-1]
            self._constants[f"{name}_constant"] = np.ascontiguousarray(other)
            other = f"{name}_constant"
        low, high = int(np.min(bounds[0])), int(np.max(bounds[1]))
        self._nodes.append(Node(op, (operand, other), (name,), attributes, name))
        self._values[name] = Value(name, (None, size), low, high)
        self.last = name
        return name

    def graph(self) -> Graph:
        """Return the graph up to the last node."""
        return Graph(
            tuple(self._nodes),
            (self._source,),
            (self._values[self.last],),
            self._constants,
            self._values,
        )
