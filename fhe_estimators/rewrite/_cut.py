"""Split a graph where encryption may end."""

from __future__ import annotations

from dataclasses import replace

from fhe_estimators.graph import Graph
from fhe_estimators.operators._base import lookup
from fhe_estimators.operators.linear import Linear
from fhe_estimators.rewrite._clean import clean


def cut(graph: Graph) -> tuple[Graph, Graph]:
    """Split a graph after its last product with weights.

    What follows the last product (link functions, softmax, argmax) works on few numbers
    that the client gets anyway, hence it runs in clear after decryption: it costs no
    table there and loses no precision.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    encrypted : Graph
        From the inputs to the raw scores.
    clear : Graph
        From the raw scores to the outputs. Without nodes if nothing follows.
    """
    # `behind[name]`: a product with weights is computed from the value later on.
    behind: set[str] = set()
    for node in reversed(graph.nodes):
        mixes = issubclass(lookup(node.op, graph.opset), Linear)
        if mixes or behind.intersection(node.outputs):
            behind.update(node.inputs)
    has_product = any(
        issubclass(lookup(node.op, graph.opset), Linear) for node in graph.nodes
    )
    if not has_product:
        last = replace(graph, nodes=())
        return graph, replace(last, inputs=graph.outputs, constants={}, values={})

    encrypted = [
        node
        for node in graph.nodes
        if behind.intersection(node.outputs)
        or issubclass(lookup(node.op, graph.opset), Linear)
    ]
    clear = [node for node in graph.nodes if node not in encrypted]
    inner = {value.name for value in graph.inputs}
    inner.update(name for node in encrypted for name in node.outputs)
    read = {name for node in clear for name in node.inputs}
    read.update(value.name for value in graph.outputs)
    border = [
        name
        for name in (
            *(value.name for value in graph.inputs),
            *(name for node in encrypted for name in node.outputs),
        )
        if name in read and name in inner
    ]
    scores = tuple(graph.value(name) for name in border)
    return (
        clean(replace(graph, nodes=tuple(encrypted), outputs=scores)),
        clean(replace(graph, nodes=tuple(clear), inputs=scores)),
    )
