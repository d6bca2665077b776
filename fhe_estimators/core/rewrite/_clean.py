"""Compute what does not depend on the inputs; drop what no output depends on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fhe_estimators.core.graph import Graph, as_tuple, needed_for
from fhe_estimators.core.operators import kinds_of, operators_of
from fhe_estimators.core.rewrite._bodies import modernize, write_products
from fhe_estimators.core.rewrite._grids import on_grids
from fhe_estimators.core.rewrite._layouts import rows_first
from fhe_estimators.core.rewrite._masks import without_masked
from fhe_estimators.core.rewrite._shapes import fold_shapes
from fhe_estimators.core.rewrite._stable import stabilize


def clean(graph: Graph) -> Graph:
    """Write a graph in the newest operators, with as few nodes as its outputs need.

    Constants and shapes are folded, and what overflows on the way is written otherwise.
    """
    graph = _fold(graph)
    modern = modernize(graph)
    changed = modern.nodes is not graph.nodes
    kind_of = kinds_of(modern)
    asks = any(kind_of(node).holds_products and node.op != "Gemm" for node in modern)
    modern = fold_shapes(_fold(modern), all_sizes=changed or asks)
    written = write_products(modern)
    if written.nodes is not modern.nodes:
        written = _fold(written)
    written = on_grids(written)
    if written.nodes is not modern.nodes:
        written = fold_shapes(_fold(written), all_sizes=True)
    return tidy(without_masked(stabilize(rows_first(written))))


def tidy(graph: Graph) -> Graph:
    """Fold constants, then keep only what the outputs need: `clean` for part of a graph."""
    return _prune(_fold(graph))


def _fold(graph: Graph) -> Graph:
    constants = dict(graph.constants)
    nodes = []
    operator_of = operators_of(graph)
    for node in graph:
        operator = operator_of(node)
        known = all(name in constants or not name for name in node.inputs)
        if known and not operator.trained:
            arguments = [constants[name] if name else None for name in node.inputs]
            results = as_tuple(operator(*arguments))
            constants.update(zip(node.outputs, map(np.asarray, results), strict=True))
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _prune(graph: Graph) -> Graph:
    outputs = [value.name for value in graph.outputs]
    nodes = needed_for(outputs, graph)
    needed = {*outputs, *(name for node in nodes for name in node.inputs)}
    return replace(
        graph,
        nodes=tuple(nodes),
        constants={k: v for k, v in graph.constants.items() if k in needed},
        values={k: v for k, v in graph.values.items() if k in needed},
    )
