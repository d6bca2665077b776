"""Integer graphs in the operations of the engine, with declared widths and signs.

Whatever the engine would read from examples, a width or a sign, is told: it would be wrong
for rows that no example is like.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from fhe_estimators.core.engine._spatial import convolution, padding
from fhe_estimators.core.graph import Graph, Node, bits_of_range
from fhe_estimators.core.operators import operators_of

#: The property of a computation of the engine that says whether it can be negative.
_SIGNED = "fhe_estimators.signed"
#: That which gives the bits of its result at least.
_WIDTH = "bit_width_hint"
#: Weights of a product that are few: the engine reads them as text.
_FEW_WEIGHTS = 1 << 18
#: Most weights are zero if no column has one in so many that is not.
_SPARSE = 8
#: Bits of integers of which the engine can have some twice in one selection.
_NARROW = 8
#: The engine's operations that only move integers.
_MOVES = {
    *("assign_static", "broadcast_to", "concatenate", "copy", "expand_dims", "identity"),
    *("index_static", "reshape", "squeeze", "transpose"),
}


def traced(graph: Graph, fhe: Any) -> Callable[[Node], Callable[..., Any]]:
    """Return the function of the engine's tracers for each node, as `evaluate` takes it.

    numpy's functions work on them, hence the operators' own; a table is the engine's.
    """

    def table_lookup(node: Node) -> Callable[..., Any]:
        first, lsbs = node.attributes["first"], node.attributes.get("lsbs", 0)
        exactness = fhe.Exactness.EXACT
        if node.attributes.get("approximate"):
            exactness = fhe.Exactness.APPROXIMATE

        def apply(x: Any, table: np.ndarray) -> Any:
            # Room for the last entry after rounding: it never overflows.
            bits = max(1, (len(table) - 1).bit_length()) + lsbs
            index = fhe.hint(x - first, bit_width=bits)
            index.computation.properties[_SIGNED] = False
            if lsbs:
                # The engine must not protect from overflows: it takes every difference of
                # the widths before and behind the rounding for one, and reads the width
                # behind from examples. It clips approximate results to that width.
                index = fhe.hint(
                    fhe.round_bit_pattern(
                        index,
                        lsbs_to_remove=lsbs,
                        overflow_protection=False,
                        exactness=exactness,
                    ),
                    bit_width=bits,
                )
                index.computation.properties[_SIGNED] = False
            return fhe.univariate(lambda i: _entries(table, lsbs, i))(index)

        return apply

    def extract_bits(node: Node) -> Callable[..., Any]:
        return lambda x: fhe.bits(x)[node.attributes["start"] : node.attributes["stop"]]

    def gather(node: Node) -> Callable[..., Any]:
        def apply(x: Any, indices: np.ndarray) -> Any:
            axis = node.attributes.get("axis", 0) % x.ndim
            chosen = np.asarray(indices) % x.shape[axis]
            before = (slice(None),) * axis
            if chosen.ndim != 1 or len(np.unique(chosen)) == len(chosen):
                return x[(*before, chosen if chosen.ndim else int(chosen))]
            # The engine has no wide integers twice in one selection.
            parts = tuple(
                x[(*before, slice(place, place + 1))] for place in chosen.tolist()
            )
            return np.concatenate(parts, axis=axis)

        return apply

    def matmul(node: Node) -> Callable[..., Any]:
        found = _few_summands(graph, node)
        if found is None:
            return others(node)
        places, factors = found
        ends = np.multiply.outer(graph.value(node.inputs[0]).bounds, factors)
        low, high = int(ends.min()), int(ends.max())
        bits = max(1, bits_of_range(low, high))

        def apply(x: Any, _: np.ndarray) -> Any:
            summands = fhe.hint(x[:, places] * factors, bit_width=bits)
            summands.computation.properties[_SIGNED] = low < 0
            return np.sum(summands, axis=1)

        return apply

    own = {
        "Conv": lambda node: convolution(node, fhe),
        "ExtractBits": extract_bits,
        "Gather": gather,
        "MatMul": matmul,
        "Pad": lambda node: padding(node, fhe),
        "TableLookup": table_lookup,
    }
    others = operators_of(graph)
    return lambda node: own.get(node.op, others)(node)


def _few_summands(graph: Graph, node: Node) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the summands of a product of rows and many weights, most of them zero.

    Returns
    -------
    places, factors : ndarray of int64 of shape (n_summands, n_results), or None
        Column `j` of the product is ``sum_k factors[k, j] * rows[:, places[k, j]]``. None
        where it is best left to the engine.
    """
    weights = graph.constants.get(node.inputs[1])
    if weights is None or weights.ndim != 2 or weights.size <= _FEW_WEIGHTS:
        return None
    operand, result = graph.value(node.inputs[0]), graph.value(node.outputs[0])
    if len(operand.shape or ()) != 2 or max(operand.bits or 0, result.bits or 0) > _NARROW:
        return None
    columns, rows = weights.T.nonzero()
    counts = np.bincount(columns, minlength=weights.shape[1])
    most = max(1, int(counts.max()))
    if most * _SPARSE > len(weights):
        return None
    # Rows of a column, one below the other; what is missing counts zero times.
    below = np.arange(len(columns)) - np.repeat(counts.cumsum() - counts, counts)
    places = np.zeros((most, weights.shape[1]), np.int64)
    factors = np.zeros_like(places)
    places[below, columns], factors[below, columns] = rows, weights[rows, columns]
    return places, factors


def _entries(table: np.ndarray, lsbs: int, index: np.ndarray) -> np.ndarray:
    """Return the entries of a table at integers whose `lsbs` lowest bits are zero.

    The engine asks for indices beyond the table, too, which no integer has.
    """
    place = np.clip(np.asarray(index) >> lsbs, 0, len(table) - 1)
    return table[place] if table.ndim == 1 else np.take_along_axis(table, place, axis=0)


def hinted(graph: Graph, fhe: Any) -> Callable[[Node, str, Any], Any]:
    """Return an observer for `evaluate` that gives tracers the range of their tensor."""

    def hint(node: Node, name: str, tracer: Any) -> Any:
        value = graph.value(name)
        tracer.computation.properties[_SIGNED] = value.bounds[0] < 0
        return fhe.hint(tracer, bit_width=value.bits)

    return hint


def declare_integers(graph: Any) -> None:
    """Give tensors of the engine's graph the signs and widths that are declared.

    The engine reads them from examples. A result that none of them makes negative would be
    decrypted as a large number where it is negative, and sums that are wider than the
    tables that read them would be as wide as they are.

    Parameters
    ----------
    graph : concrete.fhe.representation.Graph
        Traced; its nodes tell what is declared, see `hinted`.
    """
    nodes = graph.query_nodes(ordered=True)
    # What only moves integers has operands and a result of one kind. Some of it stands
    # between tensors whose ranges are declared.
    alike = DisjointSet(nodes)
    for node in nodes:
        if node.properties.get("name") in _MOVES:
            for operand in graph.ordered_preds_of(node):
                if operand.output.is_encrypted:
                    alike.merge(node, operand)
    for group in alike.subsets():
        declared = [node for node in group if _SIGNED in node.properties]
        signed = any(
            node.properties.get(_SIGNED, node.output.dtype.is_signed)
            for node in declared or group
        )
        widths = [node.properties.get(_WIDTH, 0) for node in declared]
        widest = max(widths, default=0)
        for node in group:
            dtype = node.output.dtype
            width = node.properties.get(_WIDTH, widest or dtype.bit_width)
            if signed and not node.properties.get(_SIGNED, dtype.is_signed):
                width += 1  # it is that of numbers without a sign
            if declared or dtype.is_signed != signed:
                dtype.is_signed, dtype.bit_width = signed, width
                node.properties[_WIDTH] = width
