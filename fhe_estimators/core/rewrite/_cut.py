"""Cut a graph where encryption may end."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from fhe_estimators.core.graph import Graph, Node, known_without, needed_for
from fhe_estimators.core.operators import QuantizedOp, kinds_of
from fhe_estimators.core.rewrite._clean import tidy


def cut(graph: Graph) -> tuple[Graph, Graph]:
    """Cut a graph after its last product with weights.

    What follows the last product (link functions, softmax, argmax) works on few numbers
    that the client gets anyway, hence it runs in clear after decryption: it costs no
    table there and loses no precision. Means and sums that follow are still encrypted if
    there is less to decrypt behind them: those of vectors where they need no table, those
    of images, whose numbers are many, whatever they need.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    encrypted : Graph
        From the inputs to the raw scores.
    after : Graph
        From the raw scores to the outputs. Without nodes if nothing follows.
    """
    kind_of = kinds_of(graph)
    kinds = {node.outputs: kind_of(node) for node in graph}
    products = _products(graph, kinds) or _sums_before_clear(graph, kinds)
    if not products:
        last = replace(graph, nodes=())
        return graph, replace(last, inputs=graph.outputs, constants={}, values={})
    encrypted = _needed(graph, products)
    for node in graph:
        if node.outputs not in encrypted and kinds[node.outputs].sums:
            more = encrypted | _needed(graph, [node])
            new = [other for other in graph if other.outputs in more - encrypted]
            if _is_worth_it(graph, node, new, kinds) and (
                _size(graph, _border(graph, more)) < _size(graph, _border(graph, encrypted))
            ):
                encrypted = more
    border = _border(graph, encrypted)
    scores = tuple(graph.value(name) for name in border)
    before = tuple(node for node in graph if node.outputs in encrypted)
    behind = tuple(node for node in graph if node.outputs not in encrypted)
    return (
        tidy(replace(graph, nodes=before, outputs=scores)),
        tidy(replace(graph, nodes=behind, inputs=scores)),
    )


Kinds = dict[tuple[str, ...], type[QuantizedOp]]


def _products(graph: Graph, kinds: Kinds) -> list[Node]:
    """Return the products of weights with what depends on the inputs."""
    clear = known_without(graph)
    return [
        node
        for node in graph
        if kinds[node.outputs].is_product
        and not clear.issuperset(node.inputs)
        and clear.intersection(node.inputs[:2])
    ]


def _sums_before_clear(graph: Graph, kinds: Kinds) -> list[Node]:
    """Return sums of what depends on the inputs, if something behind runs in clear only."""
    clear = known_without(graph)
    only_clear = any(
        not kinds[node.outputs].encrypted and not clear.issuperset(node.inputs)
        for node in graph
        if kinds[node.outputs].body is None
    )
    if not only_clear:
        return []
    return [
        node
        for node in graph
        if kinds[node.outputs].sums and not clear.issuperset(node.inputs)
    ]


def _needed(graph: Graph, nodes: Sequence[Node]) -> set[tuple[str, ...]]:
    """Return the results of nodes and of all that they are computed from."""
    names = [name for node in nodes for name in node.outputs]
    return {node.outputs for node in needed_for(names, graph)}


def _border(graph: Graph, encrypted: Collection[tuple[str, ...]]) -> list[str]:
    """Return names of tensors to decrypt: inputs, encrypted results, if read in clear."""
    read = {value.name for value in graph.outputs}
    read.update(n for node in graph if node.outputs not in encrypted for n in node.inputs)
    results = (n for node in graph if node.outputs in encrypted for n in node.outputs)
    names = (*(value.name for value in graph.inputs), *results)
    return [name for name in names if name in read]


def _size(graph: Graph, names: Sequence[str]) -> float:
    """Return how many numbers a row of some tensors has; inf if a shape is open."""
    shapes = [graph.value(name).shape for name in names]
    if any(shape is None or None in shape[1:] for shape in shapes):
        return math.inf
    return sum(graph.value(name).row_size for name in names)


def _is_worth_it(graph: Graph, node: Node, new: Sequence[Node], kinds: Kinds) -> bool:
    """Tell whether all `new` nodes can be encrypted, and are free unless of images."""
    if not all(kinds[other.outputs].encrypted for other in new):
        return False
    shape = graph.value(node.inputs[0]).shape
    return (shape is not None and len(shape) > 2) or all(
        kinds[other.outputs].is_free(other, graph.constants) for other in new
    )
