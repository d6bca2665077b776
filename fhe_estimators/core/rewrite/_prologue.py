"""Split a graph where encryption has to begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fhe_estimators.core.graph import Graph, Node, as_tuple
from fhe_estimators.core.operators import QuantizedOp, lookup, operators_of
from fhe_estimators.core.operators.layout import (
    Cast,
    Flatten,
    Layout,
    Reshape,
    Squeeze,
    Transpose,
    Unchanged,
    Unsqueeze,
)
from fhe_estimators.core.operators.linear import Linear
from fhe_estimators.core.operators.quantized import OntoGrid
from fhe_estimators.core.operators.slicing import Expand, Pad, Split, Tile
from fhe_estimators.core.rewrite._clean import tidy
from fhe_estimators.exceptions import GraphError

#: Operators that cost nothing on encrypted integers, and leave no fewer of them.
_FREE = (
    Cast,
    Expand,
    Flatten,
    Pad,
    Reshape,
    Split,
    Squeeze,
    Tile,
    Transpose,
    Unchanged,
    Unsqueeze,
)
#: Parts of the rows that an operator is tried on. A single row may be treated differently.
_PARTS = (slice(0, 2), slice(2, 5))
_N_ROWS = 5


def split_prologue(graph: Graph) -> tuple[Graph, Graph]:
    """Split a graph before its first products with weights.

    What precedes the first products works on rows that the client knows, hence it runs in
    clear, before encryption: it costs no table there and loses no precision. It ends where
    an operator mixes rows, or rounds as training did, and with the last operator that is
    worth moving.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    prologue : Graph
        From the inputs to what is encrypted. Without nodes if there is no product, or
        nothing worth moving before it.
    rest : Graph
        From what is encrypted to the outputs; `graph` itself if the prologue has no nodes.
    """
    kinds = {node.outputs: lookup(node.op, graph.opset) for node in graph}
    operator_of = operators_of(graph)
    examples = _examples(graph)
    moved: list[Node] = []
    for node in graph:
        if _can_move(node, kinds[node.outputs], graph, examples):
            results = _row_by_row(operator_of(node), node, graph.constants, examples)
            if results:
                moved.append(node)
                examples.update(zip(node.outputs, results, strict=True))
    needed: set[str] = set()
    for node in reversed(moved):
        if not issubclass(kinds[node.outputs], _FREE) or needed.intersection(node.outputs):
            needed.update(node.outputs, node.inputs)
    moved = [node for node in moved if needed.intersection(node.outputs)]
    if not moved or not any(issubclass(kind, Linear) for kind in kinds.values()):
        nothing = replace(graph, nodes=(), outputs=graph.inputs, constants={}, values={})
        return nothing, graph

    written = [name for node in moved for name in node.outputs]
    rest = [node for node in graph if not set(written).intersection(node.outputs)]
    read = {name for node in rest for name in node.inputs}
    read.update(value.name for value in graph.outputs)
    names = [*(value.name for value in graph.inputs), *written]
    border = tuple(graph.value(name) for name in names if name in read)
    return (
        tidy(replace(graph, nodes=tuple(moved), outputs=border)),
        tidy(replace(graph, nodes=tuple(rest), inputs=border)),
    )


def _examples(graph: Graph) -> dict[str, np.ndarray]:
    """Return rows of numbers for the inputs whose shape is known.

    They are 0 and 1 where a cast to integers reads them: such may be indices.
    """
    generator = np.random.default_rng(0)
    casts = {
        node.inputs[0] for node in graph if node.op == "Cast" and not Cast.is_real(node)
    }
    found = {}
    for value in graph.inputs:
        sizes = None if value.shape is None else value.shape[1:]
        if sizes is not None and None not in sizes:
            shape = (_N_ROWS, *(int(size or 0) for size in sizes))
            found[value.name] = (
                generator.integers(0, 2, shape)
                if value.name in casts
                else generator.normal(size=shape)
            )
    return found


def _can_move(
    node: Node,
    kind: type[QuantizedOp],
    graph: Graph,
    examples: Mapping[str, np.ndarray],
) -> bool:
    """Tell whether a node is no product and reads nothing but rows and constants."""
    if issubclass(kind, (Linear, OntoGrid)):
        return False
    rows = [examples[name] for name in node.inputs if name in examples]
    others = [graph.constants[name] for name in node.inputs if name in graph.constants]
    if not rows or len(rows) + len(others) + node.inputs.count("") < len(node.inputs):
        return False
    if issubclass(kind, Layout):
        return len(rows) == 1
    # A constant for each row is none.
    rank = max(array.ndim for array in rows)
    return all(array.ndim < rank or len(array) == 1 for array in others)


def _row_by_row(
    operator: QuantizedOp,
    node: Node,
    constants: Mapping[str, np.ndarray],
    examples: Mapping[str, np.ndarray],
) -> tuple[np.ndarray, ...]:
    """Return the results of a node on examples; nothing if it mixes their rows.

    It does not if all rows together give what parts of them give.
    """

    def results(rows: slice) -> tuple[np.ndarray, ...]:
        arrays = [
            examples[name][rows] if name in examples else constants.get(name)
            for name in node.inputs
        ]
        # A function of numbers that it is not defined for: nan, for one row as for many.
        with np.errstate(all="ignore"):
            return as_tuple(operator(*arrays))

    first, *others = node.inputs
    if isinstance(operator, Layout) and first in examples:
        parameters = [constants.get(name) for name in others]
        if not operator.keeps_rows((1, *examples[first].shape[1:]), parameters):
            return ()
    try:
        together, parts = results(slice(None)), [results(rows) for rows in _PARTS]
    except GraphError:
        # It asks for rows that there are not.
        return ()
    for rows, some in zip(_PARTS, parts, strict=True):
        for array, part in zip(together, some, strict=True):
            meant = np.asarray(array)[rows] if np.shape(array)[:1] == (_N_ROWS,) else None
            if (
                meant is None
                or np.shape(part) != meant.shape
                or not np.allclose(part, meant, equal_nan=True)
            ):
                return ()
    return together
