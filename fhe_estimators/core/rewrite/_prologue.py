"""Split a graph where encryption has to begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fhe_estimators.core.graph import Graph, Node, needed_for
from fhe_estimators.core.operators import QuantizedOp, kinds_of, operators_of
from fhe_estimators.core.operators._rows import N_ROWS
from fhe_estimators.core.rewrite._clean import tidy


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
    operator_of, kind_of = operators_of(graph), kinds_of(graph)
    kinds = {node.outputs: kind_of(node) for node in graph}
    examples = _examples(graph)
    moved: list[Node] = []
    for node in graph:
        if _can_move(node, kinds[node.outputs], graph, examples):
            operands = [examples.get(n, graph.constants.get(n)) for n in node.inputs]
            rows = {place for place, n in enumerate(node.inputs) if n in examples}
            results = operator_of(node).row_by_row(operands, rows)
            if results:
                moved.append(node)
                examples.update(zip(node.outputs, results, strict=True))
    # What costs nothing on encrypted integers, and leaves no fewer of them, may stay there.
    worth = [node for node in moved if not kinds[node.outputs].keeps_elements]
    moved = needed_for([name for node in worth for name in node.outputs], moved)
    if not moved or not any(kind.is_product for kind in kinds.values()):
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
    kind_of = kinds_of(graph)
    indices = {node.inputs[0] for node in graph if kind_of(node).reads_indices(node)}
    found = {}
    for value in graph.inputs:
        sizes = None if value.shape is None else value.shape[1:]
        if sizes is not None and None not in sizes:
            shape = (N_ROWS, *(int(size or 0) for size in sizes))
            found[value.name] = (
                generator.integers(0, 2, shape)
                if value.name in indices
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
    if kind.is_product or kind.trained:
        return False
    rows = [examples[name] for name in node.inputs if name in examples]
    others = [graph.constants[name] for name in node.inputs if name in graph.constants]
    if not rows or len(rows) + len(others) + node.inputs.count("") < len(node.inputs):
        return False
    # A constant for each row is none.
    rank = max(array.ndim for array in rows)
    return not kind.aligned or all(array.ndim < rank or len(array) == 1 for array in others)
