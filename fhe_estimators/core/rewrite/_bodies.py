"""Write operators out in others: older versions in the newest, composed ones in parts."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fhe_estimators.core.graph import NEWEST_OPSET, Graph, Node, known_without
from fhe_estimators.core.operators import QuantizedOp, Writer, is_newest, lookup


def modernize(graph: Graph) -> Graph:
    """Return the graph in operators of the newest set; see `QuantizedOp.body`."""
    written = _written(graph, lambda kind: not is_newest(kind))
    return replace(written, opset=NEWEST_OPSET)


def write_products(graph: Graph) -> Graph:
    """Write out operators that hold products with weights, such as recurrent layers.

    Where encryption begins and ends is told by such products.
    """
    return _written(graph, lambda kind: kind.holds_products)


def write_out(graph: Graph) -> Graph:
    """Write out what has no encrypted form of its own, in a graph to be encrypted."""
    return _written(graph, lambda kind: not kind.encrypted)


def _written(graph: Graph, wanted: Callable[[type[QuantizedOp]], bool]) -> Graph:
    nodes: list[Node] = []
    constants: dict[str, np.ndarray] = dict(graph.constants)
    clear = known_without(graph)
    taken = {name for node in graph for name in node.outputs} | constants.keys()

    def append(node: Node, opset: int) -> None:
        kind = lookup(node.op, opset)
        if kind.body is None or not wanted(kind):
            nodes.append(node)
            return
        kind(node)  # refuses what it does not serve
        write = Writer(node, replace(graph, constants=constants), clear, taken)
        results = kind.body(write)
        if results is None:
            nodes.append(node)
            return
        parts = write.finished(results)
        constants.update(write.constants)
        taken.update(write.constants)
        taken.update(name for part in parts for name in part.outputs)
        for part in parts:
            append(part, NEWEST_OPSET)

    for node in graph:
        append(node, graph.opset)
    if all(map(operator.is_, nodes, graph.nodes)):
        return graph
    return replace(graph, nodes=tuple(nodes), constants=constants)
