"""How the comparisons that trees make reach the circuit: as they are, or as integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Graph, Value
from fhe_estimators.core.integers.graphs import GraphBuilder


@dataclass(frozen=True)
class Bits:
    """The comparisons that trees can make: ``bin of feature <= edge``, for all edges.

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
        """Return the index of the bit ``[bin of feature <= edge]``."""
        return self._first[feature] + edge

    def all_bins(self, feature: int) -> np.ndarray:
        """Return rows of bins, one for each bin of a feature, zero for other features."""
        size = self.sizes[self.features.index(feature)]
        rows = np.zeros((size + 1, max(self.features) + 1), np.int64)
        rows[:, feature] = np.arange(size + 1)
        return rows

    def provided(self, encoding: str, used: np.ndarray) -> tuple[Chain, np.ndarray]:
        """Return a graph that begins with the input and ends with bits.

        Parameters
        ----------
        encoding : {'thermometer', 'integer', 'digits'}
            The client sends all bits, or the bin of each feature. A bin is compared with
            an edge by one table, or by tables for its high and its low digit: for many
            bits these are cheaper.
        used : ndarray of bool of shape (n_bits,)

        Returns
        -------
        chain : Chain
        provided : ndarray of int
            The bits that its last tensor holds, among them all that are used.
        """
        wanted = np.flatnonzero(used) if used.any() else np.zeros(1, np.int64)
        if encoding == "thermometer":
            chain = Chain(Value("bits", (None, len(self)), 0, 1, self.sizes))
            if len(wanted) < len(self):
                chain.add("Gather", "bits", wanted, (0, 1), axis=1)
            return chain, wanted
        place = np.repeat(np.arange(len(self.features)), self.sizes)[wanted]
        edges = np.concatenate([np.arange(size) for size in self.sizes])[wanted]
        select = np.eye(len(self.features), dtype=np.int64)[:, place]
        most = max(self.sizes)
        chain = Chain(Value("bins", (None, len(self.features)), 0, most))
        if encoding == "integer":
            _compare(chain, "bins", select, edges, most, (1, 1, 0))
            return chain, wanted
        # bin <= edge if its high digit is less, or equal with a low digit that is not more.
        n_low = most.bit_length() // 2
        tops = most >> n_low, (1 << n_low) - 1
        bounds = (n_low, most.bit_length()), (0, n_low)
        digits = [
            chain.add("ExtractBits", "bins", None, (0, top), start=start, stop=stop)
            for top, (start, stop) in zip(tops, bounds, strict=True)
        ]
        high = _compare(chain, digits[0], select, edges >> n_low, tops[0], (0, 2, 4))
        low = _compare(chain, digits[1], select, edges & tops[1], tops[1], (0, 0, 1))
        both = chain.add("Add", high, low, (0, 5))
        chain.add("TableLookup", both, np.array([1, 1, 1, 0, 0, 0]), (0, 1), first=0)
        return chain, wanted


def _compare(
    chain: Chain,
    tensor: str,
    select: np.ndarray,
    edges: np.ndarray,
    most: int,
    results: tuple[int, int, int],
) -> str:
    """Look up how elements compare with edges: less, equal or more."""
    selected = chain.add("MatMul", tensor, select, (0, most))
    numbers = np.arange(most + 1)[:, np.newaxis]
    tables = np.select([numbers < edges, numbers == edges], results[:2], results[2])
    return chain.add("TableLookup", selected, tables, (0, max(results)), first=0)


class Chain:
    """Builds an integer graph of one input; nodes are named after their operators."""

    def __init__(self, source: Value) -> None:
        self._builder = GraphBuilder()
        self._source = self._builder.declare(source)
        self.last = source.name

    def add(
        self,
        op: str,
        operand: str,
        other: np.ndarray | str | None,
        bounds: tuple[Any, Any] | np.ndarray,
        **attributes: Any,
    ) -> str:
        """Add a node, with a constant or another result beside its operand, or nothing.

        Returns
        -------
        name : str
            Of its result, whose elements lie between the two `bounds`.
        """
        builder = self._builder
        name = f"{op.lower()}_{len(builder.nodes)}"
        inputs = [operand]
        shape = builder.value(operand).shape
        assert shape is not None
        if isinstance(other, np.ndarray):
            inputs.append(builder.constant(f"{name}_constant", other))
            if other.ndim > 1 or op == "Gather":
                shape = (None, other.shape[-1])
        elif other is not None:
            inputs.append(other)
        node = builder.append(op, inputs, shape, bounds, result=name, **attributes)
        (self.last,) = node.outputs
        return self.last

    def part(self, operand: str, start: int, stop: int) -> str:
        """Add a node that takes some elements of each row, and return its name."""
        builder, value = self._builder, self._builder.value(operand)
        name = f"slice_{len(builder.nodes)}"
        ends = ((f"{name}_start", start), (f"{name}_stop", stop), (f"{name}_axis", 1))
        places = [builder.constant(end, np.array([place])) for end, place in ends]
        shape = (None, stop - start)
        builder.append("Slice", [operand, *places], shape, value.bounds, result=name)
        return name

    def joined(self, parts: Sequence[str]) -> str:
        """Add a node that joins rows if there are several; return the last name."""
        if len(parts) > 1:
            builder = self._builder
            values = [builder.value(part) for part in parts]
            low, high = zip(*(value.bounds for value in values), strict=True)
            shape = (None, sum(value.row_size for value in values))
            name, bounds = f"concat_{len(builder.nodes)}", (min(low), max(high))
            builder.append("Concat", parts, shape, bounds, result=name, axis=1)
            self.last = name
        return self.last

    def graph(self) -> Graph:
        """Return the graph up to the last node."""
        return self._builder.build([self._source], [self.last])
