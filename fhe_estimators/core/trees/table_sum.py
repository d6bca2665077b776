"""Integer trees as integer graphs: sums of bits and of table look-ups."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import cycle, pairwise
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csc_array

from fhe_estimators.core.graph import Graph, bits_of_range
from fhe_estimators.core.trees.columns import RADICES, Column, Term, divided
from fhe_estimators.core.trees.comparisons import Bits
from fhe_estimators.core.trees.cover import cover
from fhe_estimators.core.trees.group_tables import (
    GroupTables,
    function_terms,
    table_terms,
)
from fhe_estimators.core.trees.groups import Group, factored
from fhe_estimators.core.trees.merge import merge
from fhe_estimators.core.trees.partitions import ANY, intervals
from fhe_estimators.core.trees.parts import in_order, parts_of, weights_of
from fhe_estimators.core.trees.tree import Tree


class Lowered(NamedTuple):
    """An integer graph, and what its results lack.

    The sum of the trees, of shape (n_rows, n_outputs), is ``results @ scales + offset``
    with `scales` of shape (n_columns, n_outputs).
    """

    graph: Graph
    offset: np.ndarray
    scales: np.ndarray


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
    narrow : bool, default=False
        Whether tables leave to functions of one feature what these can do for them.
    piece_states : int, default=0
        States of a piece of a tree, at most, before groups were merged.
    """

    bits: Bits
    constant: np.ndarray
    singles: Sequence[Group]
    groups: Sequence[Group]
    narrow: bool = False
    piece_states: int = 0

    @classmethod
    def of(cls, trees: Sequence[Tree], bits: Bits, table_bits: int) -> TableSum:
        """Cover simplified trees by tables of at most `table_bits` bits if possible."""
        return next(cls.of_sizes(trees, bits, [table_bits]))

    @classmethod
    def of_sizes(
        cls, trees: Sequence[Tree], bits: Bits, table_bits: Iterable[int]
    ) -> Iterator[TableSum]:
        """Yield covers by tables of several sizes, each once it is asked for.

        Large pieces of a tree make few tables, small ones find more to be merged with:
        trees are divided into pieces of several sizes, and the fewest tables are taken.
        """

        @cache
        def unmerged(states: int) -> TableSum:
            return cls.unmerged(trees, bits, states)

        for most_states in (1 << size for size in table_bits):
            sizes = sorted({min(size, most_states) for size in (4, 8, most_states)})
            sums = (unmerged(size).merged(most_states) for size in reversed(sizes))
            yield min(sums, key=lambda merged: merged.n_tables)

    def merged(self, most_states: int) -> TableSum:
        """Return the same sum by tables of at most `most_states` states if possible."""
        return replace(self, groups=merge(self.groups, most_states), narrow=True)

    @classmethod
    def unmerged(cls, trees: Sequence[Tree], bits: Bits, most_states: int) -> TableSum:
        """Cover simplified trees, each by itself; see `cover`."""
        constants, groups = [], []
        for source, tree in enumerate(trees):
            constant, covering = cover(tree, source, most_states)
            constants.append(constant)
            groups += covering
        # What is free is set aside first: merged with others it would fill tables.
        singles = [group for group in groups if len(group.features) == 1]
        several = [group for group in groups if len(group.features) > 1]
        constant = np.sum(constants, axis=0)
        return cls(bits, constant, singles, several, piece_states=most_states)

    @cached_property
    def _factored(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Tables of each group, of shape (states, n_tables), and their weights."""
        n_features = max(self.bits.features) + 1
        return [factored(group.table(n_features)) for group in self.groups]

    @cached_property
    def _is_weighted(self) -> bool:
        """Whether a table counts more than once in an output."""
        weights = [weights.ravel() for _, weights in self._factored]
        return bool((np.abs(np.concatenate([*weights, [0]])) > 1).any())

    @cached_property
    def _tables(self) -> list[GroupTables]:
        found = [
            GroupTables(values, weights, group.source, {}).positive()
            for group, (values, weights) in zip(self.groups, self._factored, strict=True)
        ]
        # Where weights are needed they are written in digits: the values of a table are,
        # too, if what they have in common is a weight.
        if self._is_weighted:
            return [tables.reduced() for tables in found]
        if not self.narrow:
            return found
        # The tables of one tree exclude each other as they are.
        shared = Counter(tables.source for tables in found)
        return [
            tables.narrowed(group, self.bits)
            if tables.source is None or shared[tables.source] == 1
            else tables
            for group, tables in zip(self.groups, found, strict=True)
        ]

    @property
    def n_tables(self) -> int:
        """Number of look-ups."""
        return sum(len(weights) for _, weights in self._factored)

    @property
    def table_bits(self) -> int:
        """Bits that the largest table reads; 0 without tables."""
        most = max((group.states for group in self.groups), default=1)
        return (most - 1).bit_length()

    def columns(self, room: float = math.inf) -> list[Column]:
        """Divide the sum, less a constant, among columns that the client adds up.

        Parameters
        ----------
        room : float, default=inf
            How wide and noisy columns may be, see `divided`. By default each output is one
            column.

        Returns
        -------
        columns : list of Column
        """
        if room == math.inf:
            return divided([self._terms(None, False)], len(self.constant))
        return in_order(divided(self._alternatives, len(self.constant), room))

    def telling(self, columns: Sequence[Column]) -> list[Column]:
        """Return a few columns that need the parameters of all.

        None of the others is wider or noisier, or sums up larger tables.
        """
        sizes = [(c.width, c.noise, -c.low, c.high, c.bit_noise) for c in columns]
        places = set(np.argmax(sizes, axis=0).tolist())
        unread = {len(self.bits) + table for table in self._largest}
        for place, column in enumerate(columns):
            read = unread.intersection(r for t in column.terms for r in t.rows.tolist())
            if read:
                places.add(place)
                unread -= read
        return [columns[place] for place in sorted(places)]

    @cached_property
    def _largest(self) -> set[int]:
        """Tables of the largest entries, of most of them, and of the noisiest index."""
        weights, _ = self._indices
        entries = self._entries
        states = [
            g.states
            for g, found in zip(self.groups, self._tables, strict=True)
            for _ in found.weights
        ]
        sizes = np.abs(entries).max(axis=0), np.ptp(entries, axis=0), states
        places = {*np.argmax(sizes, axis=1), weights.power(2).sum(axis=0).argmax()}
        return set(map(int, places))

    def n_read(self, columns: Sequence[Column]) -> int:
        """Return how many tables some columns are sums of."""
        return len(self._read(columns))

    def _read(self, columns: Sequence[Column]) -> np.ndarray:
        """Return the tables that columns are sums of, in the order of these."""
        rows = [term.rows for column in columns for term in column.terms]
        read = _first_seen(np.concatenate([np.empty(0, np.int64), *rows]))
        return read[read >= len(self.bits)] - len(self.bits)

    def lowered(
        self, columns: Sequence[Column] | None = None, encoding: str = "thermometer"
    ) -> Lowered:
        """Return the integer graph.

        Parameters
        ----------
        columns : sequence of Column, optional
            Some `columns` of this sum; by default one for each output. Tables that none
            of them reads are left out.
        encoding : {'thermometer', 'integer', 'digits'}, default='thermometer'
            See `Bits.provided`.

        Returns
        -------
        lowered : Lowered
        """
        columns = self.columns() if columns is None else columns
        low, high = np.array([(c.low, c.high) for c in columns], np.int64).T
        scales = np.zeros((len(columns), len(self.constant)), np.int64)
        for number, column in enumerate(columns):
            scales[number, column.output] = column.scale
        n_bits = len(self.bits)
        read = self._read(columns)
        weights, first = self._indices[0][:, read], self._indices[1][read]
        of_columns = weights_of(columns, n_bits + self.n_tables)
        linear, spread = of_columns[:n_bits].tocsc(), of_columns[n_bits + read].tocsc()
        used = np.zeros(n_bits, bool)
        used[weights.indices] = used[linear.indices] = True
        chain, provided = self.bits.provided(encoding, used)
        bits, linear = chain.last, linear[provided]
        # The bits of a feature add up to its function less the value of the last bin.
        offset = self.constant + sum(h[-1] for h in self._functions.values())
        if not len(read):
            chain.add("MatMul", bits, linear.toarray(), (low, high))
            return Lowered(chain.graph(), offset, scales)

        tables = self._entries
        states = len(tables)
        ends = (-first.max(), states - 1 - first.min())
        index = chain.add("MatMul", bits, weights[provided].toarray(), ends)
        if first.any():
            index = chain.add("Add", index, first[np.newaxis], (0, states - 1))
        shift, of_tables = _shifts(columns, (low, high), tables, n_bits)
        tables = (tables - of_tables)[:, read]
        ends = (tables.min(), tables.max())
        looked_up = chain.add("TableLookup", index, tables, ends, first=0)
        bounds = low - shift, high - shift
        parts = []
        for part in parts_of(spread, linear):
            some = looked_up
            if part.n_tables < len(read):
                some = chain.part(looked_up, part.first, part.first + part.n_tables)
            if part.is_copy:
                parts.append(some)
                continue
            rows = slice(part.first, part.first + part.n_tables)
            total = chain.add("MatMul", some, spread[rows, part.columns].toarray(), bounds)
            free = linear[:, part.columns].toarray()
            if free.any():
                ends = _free_bounds(columns)
                free = chain.add("MatMul", bits, free, ends)
                total = chain.add("Add", total, free, bounds)
            parts.append(total)
        chain.joined(parts)
        return Lowered(chain.graph(), offset + shift @ scales, scales)

    @cached_property
    def _alternatives(self) -> list[list[Term]]:
        given = None
        if not self._is_weighted:
            # For each radix their only digit is the same.
            given = self._terms_of_tables(None, True)
        return [self._terms(radix, True, given) for radix in RADICES]

    def _terms(
        self, radix: int | None, by_sign: bool, given: Sequence[Term] | None = None
    ) -> list[Term]:
        """Return the terms of the sum, sorted by source: by tree, of several at last.

        Parameters
        ----------
        radix : int or None
            See `digits`.
        by_sign : bool
            Whether tables that are taken from an output are terms of columns that are.
        given : sequence of Term, optional
            Those of tables, if they are known.
        """
        terms = list(self._terms_of_tables(radix, by_sign) if given is None else given)
        for feature, values in self._functions.items():
            sources = {s.source for s in self.singles if s.features == {feature}}
            taken = any(feature in tables.functions for tables in self._tables)
            # Less the value of the last bin, it is zero where the tree's is not.
            alone = len(sources) == 1 and not taken and not values[-1].any()
            source = sources.pop() if alone else None
            start = self.bits.place(feature, 0)
            rows = np.arange(start, start + len(values) - 1)
            terms += function_terms(values - values[-1], radix, rows, source)
        return sorted(terms, key=lambda term: (term.source is None, term.source or 0))

    def _terms_of_tables(self, radix: int | None, by_sign: bool) -> list[Term]:
        terms: list[Term] = []
        row = len(self.bits)
        for tables in self._tables:
            rows = np.arange(row, row + len(tables.weights))
            terms += table_terms(tables, radix, rows, by_sign)
            row += len(tables.weights)
        return terms

    @cached_property
    def _functions(self) -> dict[int, np.ndarray]:
        """The sum of the functions of each feature, of shape (n_bins, n_outputs)."""
        functions: dict[int, np.ndarray] = {}
        for group in self.singles:
            (feature,) = group.features
            values = group.evaluate(self.bits.all_bins(feature))
            functions[feature] = functions.get(feature, 0) + values
        for tables in self._tables:
            for feature, values in tables.functions.items():
                functions[feature] = functions.get(feature, 0) + values
        return functions

    @cached_property
    def _indices(self) -> tuple[csc_array, np.ndarray]:
        """What makes the index of each table from the bits.

        Returns
        -------
        weights : sparse array of int64 of shape (n_bits, n_tables)
        first : ndarray of int64 of shape (n_tables,)
        """
        entries: list[tuple[int, int, int]] = []
        first = np.zeros(len(self.groups), np.int64)
        for number, group in enumerate(self.groups):
            # A function h of the bin, zero for the last interval, is the sum over edges of
            # the steps from one interval to the next: sum_j (h_j - h_(j+1)) [bin <= j].
            for feature, partition, weight in group.digits():
                edges, classes = intervals(partition)
                for edge, (one, after) in zip(edges, pairwise(classes), strict=True):
                    place = self.bits.place(feature, edge)
                    entries.append((place, number, weight * (one - after)))
            step = group.combinations
            # [low < bin <= high] = [bin <= high] - [bin <= low]
            for feature, bounds in group.gates:
                for end, sign in zip(bounds, cycle((-1, 1)), strict=False):
                    if end == ANY[1]:
                        first[number] += step
                    elif end > ANY[0]:
                        place = self.bits.place(feature, end)
                        entries.append((place, number, sign * step))
        counts = [len(tables.weights) for tables in self._tables]
        places, numbers, weights = np.array(entries, np.int64).reshape(-1, 3).T
        shape = len(self.bits), len(self.groups)
        # Entries of one place add up.
        found = coo_array((weights, (places, numbers)), shape).tocsc()
        found.eliminate_zeros()
        repeated = np.repeat(np.arange(len(counts)), counts)
        return found[:, repeated], np.repeat(first, counts)

    @cached_property
    def _entries(self) -> np.ndarray:
        """The tables, of shape (states, n_tables), filled up with zeros."""
        states = max(group.states for group in self.groups)
        entries = np.zeros((states, self.n_tables), np.int64)
        place = 0
        for tables in self._tables:
            n_states, number = tables.values.shape
            entries[:n_states, place : place + number] = tables.values
            place += number
        return entries


def _first_seen(numbers: np.ndarray) -> np.ndarray:
    """Return the different ones of several numbers in the order in which they come up."""
    different, first = np.unique(numbers, return_index=True)
    in_order: np.ndarray = different[first.argsort()]
    return in_order


def _shifts(
    columns: Sequence[Column],
    bounds: tuple[np.ndarray, np.ndarray],
    tables: np.ndarray,
    first_row: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return offsets to subtract from columns and tables so that they need few bits.

    Integers of so many bits start from zero, or lie around it: the narrower is taken.

    Parameters
    ----------
    columns : sequence of Column
    bounds : tuple of two ndarrays of int64 of shape (n_columns,)
        The least and the largest value of each.
    tables : ndarray of int64 of shape (n_states, n_tables)
    first_row : int
        That of the first table, in terms.

    Returns
    -------
    of_columns : ndarray of int64 of shape (n_columns,)
    of_tables : ndarray of int64 of shape (n_tables,)
        As much together.
    """
    found = []
    low, high = tables.min(axis=0), tables.max(axis=0)
    of_low, of_high = bounds
    width = max(1, *(column.width for column in columns))
    own = [[int(t.rows[0]) - first_row for t in c.terms if t.movable] for c in columns]
    movable = np.array([table for some in own for table in some], np.int64)
    numbers = np.repeat(np.arange(len(columns)), list(map(len, own)))
    for lowest in (0, -1 << width - 1):
        highest = lowest + (1 << width) - 1
        least, most = high - highest, low - lowest
        of_tables = np.zeros(len(low), np.int64)
        of_tables[movable] = np.clip(0, least[movable], most[movable])
        of_columns = np.zeros(len(columns), np.int64)
        np.add.at(of_columns, numbers, of_tables[movable])
        left = np.clip(of_columns, of_high - highest, of_low - lowest) - of_columns
        for number in np.flatnonzero(left):
            for table in own[number]:
                moved = np.clip(of_tables[table] + left[number], least[table], most[table])
                more = moved - of_tables[table]
                left[number] -= more
                of_columns[number] += more
                of_tables[table] = moved
        ends = (
            (low - of_tables).min(),
            (high - of_tables).max(),
            (of_low - of_columns).min(),
            (of_high - of_columns).max(),
        )
        found.append((bits_of_range(min(ends), max(ends)), of_columns, of_tables))
    _, of_columns, of_tables = min(found, key=lambda entry: entry[0])
    return of_columns, of_tables


def _free_bounds(columns: Sequence[Column]) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest sum of the functions of one feature, by column."""
    free = [[term for term in column.terms if not term.noise] for column in columns]
    lows, highs = (
        np.array([sum(getattr(term, end) for term in terms) for terms in free], np.int64)
        for end in ("low", "high")
    )
    return lows, highs
