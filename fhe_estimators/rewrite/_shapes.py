"""Compute shapes once: of all axes only that of the rows is open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fhe_estimators.graph import Graph, Node, evaluate
from fhe_estimators.operators import operators_of

#: What is computed from shapes is computed for two numbers of rows.
_ROWS = (2, 3)


def fold_shapes(graph: Graph) -> Graph:
    """Replace what is computed from shapes by constants.

    Exporters write ``x.reshape(len(x), -1)`` as operators that take the shape of ``x``
    apart and put a new one together. What does not depend on the number of rows becomes a
    constant. The shape that a Reshape or an Expand reads may have the number of rows as
    its first size: 0 ("as it is") or 1 ("as many as there are") say the same. Nothing
    changes if the shape of an input is not known.
    """
    if not any(node.op == "Shape" for node in graph):
        return graph
    both = [_executed(graph, n_rows) for n_rows in _ROWS]
    if not all(both):
        return graph
    few, more = both
    constants = dict(graph.constants)
    shapes: set[str] = set()
    nodes = []
    for node in graph:
        read = {name for name in node.inputs if name}
        if node.op == "Shape" or (read & shapes and read <= shapes | constants.keys()):
            for name in node.outputs:
                if np.array_equal(few[name], more[name]):
                    constants[name] = np.asarray(few[name])
                else:
                    shapes.add(name)
            if shapes.intersection(node.outputs):
                nodes.append(node)
        elif len(node.inputs) == 2 and node.inputs[1] in shapes:
            size = node.inputs[1]
            nodes.append(_sized(node, few[size], more[size], constants))
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _executed(graph: Graph, n_rows: int) -> dict[str, np.ndarray]:
    """Return all tensors for so many rows of zeros; none if a shape is not known."""
    inputs = {}
    for value in graph.inputs:
        if value.shape is None or None in value.shape[1:]:
            return {}
        sizes = [int(size or 0) for size in value.shape[1:]]
        inputs[value.name] = np.zeros((n_rows, *sizes), np.int64)
    with np.errstate(all="ignore"):
        return evaluate(graph, inputs, operators_of(graph))


def _sized(
    node: Node, few: np.ndarray, more: np.ndarray, constants: dict[str, np.ndarray]
) -> Node:
    """Return the node with a constant instead of a shape that begins with the rows."""
    first = {"Reshape": 0, "Expand": 1}
    if (
        node.op not in first
        or node.attributes.get("allowzero")
        or few.shape != more.shape
        or (few[0], more[0]) != _ROWS
        or not np.array_equal(few[1:], more[1:])
    ):
        return node
    name = f"{node.outputs[0]}.shape"
    constants[name] = np.array([first[node.op], *few[1:]], np.int64)
    return replace(node, inputs=(node.inputs[0], name))
