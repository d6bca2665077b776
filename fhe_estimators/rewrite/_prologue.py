"""Split a graph where encryption has to begin."""

from __future__ import annotations

from dataclasses import replace

from fhe_estimators.graph import Graph, Node
from fhe_estimators.operators._base import QuantizedOp, lookup
from fhe_estimators.operators.elementwise import Elementwise
from fhe_estimators.operators.layout import Cast, Unchanged
from fhe_estimators.operators.linear import Linear
from fhe_estimators.operators.slicing import Concat
from fhe_estimators.operators.univariate import Univariate
from fhe_estimators.rewrite._clean import clean

#: Operators that cost nothing on encrypted integers.
_FREE = (Cast, Unchanged)


def split_prologue(graph: Graph) -> tuple[Graph, Graph]:
    """Split a graph before its first products with weights.

    What precedes the first products works on rows that the client knows, hence it runs in
    clear, before encryption: it costs no table there and loses no precision. It ends where
    an operator could mix rows, and with the last operator that is worth moving.

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
    known = {"", *graph.constants, *(value.name for value in graph.inputs)}
    moved: list[Node] = []
    for node in graph:
        if known.issuperset(node.inputs) and _row_by_row(node, kinds[node.outputs]):
            moved.append(node)
            known.update(node.outputs)
    needed: set[str] = set()
    for node in reversed(moved):
        if not issubclass(kinds[node.outputs], _FREE) or needed.intersection(node.outputs):
            needed.update(node.outputs, node.inputs)
    moved = [node for node in moved if needed.intersection(node.outputs)]
    if not moved or not any(issubclass(kind, Linear) for kind in kinds.values()):
        nothing = replace(graph, nodes=(), outputs=graph.inputs, constants={}, values={})
        return nothing, graph

    results = [name for node in moved for name in node.outputs]
    rest = [node for node in graph if not set(results).intersection(node.outputs)]
    read = {name for node in rest for name in node.inputs}
    read.update(value.name for value in graph.outputs)
    names = [*(value.name for value in graph.inputs), *results]
    border = tuple(graph.value(name) for name in names if name in read)
    return (
        clean(replace(graph, nodes=tuple(moved), outputs=border)),
        clean(replace(graph, nodes=tuple(rest), inputs=border)),
    )


def _row_by_row(node: Node, kind: type[QuantizedOp]) -> bool:
    """Tell whether each row of the result depends on the same row of the inputs only."""
    if issubclass(kind, Concat):
        return bool(node.attributes["axis"])
    return issubclass(kind, (*_FREE, Elementwise, Univariate))
