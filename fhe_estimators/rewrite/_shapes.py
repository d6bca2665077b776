"""Compute shapes once: of all axes only the rows are open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fhe_estimators.graph import Graph, Node
from fhe_estimators.operators import operators_of

#: What is computed from shapes is computed for two numbers of rows.
_ROWS = (2, 3)

Pair = tuple[np.ndarray, np.ndarray]


def fold_shapes(graph: Graph) -> Graph:
    """Replace what is computed from shapes by constants.

    Exporters write ``x.reshape(len(x), -1)`` as operators that take the shape of ``x``
    apart and put a new one together. What does not depend on the number of rows becomes a
    constant. The shape that a Reshape or an Expand reads may have the number of rows as
    its first size: 0 ("as it is") or 1 ("as many as there are") say the same.
    """
    operator_of = operators_of(graph)
    constants = dict(graph.constants)
    pairs: dict[str, Pair] = {}
    nodes = []
    for node in graph:
        if node.op == "Shape":
            found = _shapes(graph, node.inputs[0])
        elif any(name in pairs for name in node.inputs) and all(
            name in pairs or name in constants or not name for name in node.inputs
        ):
            found = [
                [pairs[n][k] if n in pairs else constants.get(n) for n in node.inputs]
                for k in range(len(_ROWS))
            ]
        else:
            found = []
        if found and len(node.outputs) == 1:
            operator = operator_of(node)
            few, more = (np.asarray(operator(*arrays)) for arrays in found)
            if np.array_equal(few, more):
                constants[node.outputs[0]] = few
            else:
                pairs[node.outputs[0]] = few, more
                nodes.append(node)
            continue
        nodes.append(_with_constant_shape(node, pairs, constants))
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _shapes(graph: Graph, name: str) -> list[list[np.ndarray | None]]:
    """Return tensors of the shape of `name` for each number of rows, if it is known."""
    shape = graph.value(name).shape
    if not shape or shape[0] is not None or None in shape[1:]:
        return []
    sizes = [int(size or 0) for size in shape[1:]]
    return [[np.broadcast_to(np.zeros(()), (rows, *sizes))] for rows in _ROWS]


def _with_constant_shape(
    node: Node, pairs: dict[str, Pair], constants: dict[str, np.ndarray]
) -> Node:
    """Return the node, reading a constant if rows come first in the shape that it reads."""
    first = {"Reshape": 0, "Expand": 1}
    if node.op not in first or node.inputs[1] not in pairs:
        return node
    if node.attributes.get("allowzero"):
        return node
    few, more = pairs[node.inputs[1]]
    if few.shape != more.shape or (few[0], more[0]) != _ROWS:
        return node
    if not np.array_equal(few[1:], more[1:]):
        return node
    name = f"{node.outputs[0]}.shape"
    while name in constants:
        name += "_"
    constants[name] = np.concatenate([[first[node.op]], few[1:]])
    return replace(node, inputs=(node.inputs[0], name))
