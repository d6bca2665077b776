"""A graph as text: one line a node. The text is also what replay tests compare."""

from __future__ import annotations

import numpy as np

from fhe_estimators.core.graph._graph import Graph, Value


def _describe(value: Value) -> str:
    shape = ""
    if value.shape is not None:
        dimensions = ("n" if size is None else str(size) for size in value.shape)
        shape = f"[{' x '.join(dimensions)}]"
    bits = "" if value.bits is None else f" {value.bits} bits"
    return f"{value.name}{shape}{bits}"


def _describe_constant(name: str, array: np.ndarray) -> str:
    if array.size <= 1:
        return str(array.reshape(-1)[0]) if array.size else "[]"
    return f"{name}[{' x '.join(map(str, array.shape))}]"


def show(graph: Graph) -> str:
    """Return a graph as text, with shapes and, for integers, bit widths.

    Examples
    --------
    >>> from fhe_estimators.core.graph import Graph, Node, Value
    >>> relu = Node("Relu", ("x",), ("y",))
    >>> print(show(Graph((relu,), (Value("x", (None, 3)),), (Value("y", (None, 3)),))))
    inputs   x[n x 3]
    y[n x 3] = Relu(x)
    outputs  y[n x 3]
    """
    lines = ["inputs   " + ", ".join(map(_describe, graph.inputs))]
    for node in graph:
        arguments = [
            _describe_constant(name, graph.constants[name])
            if name in graph.constants
            else name
            for name in node.inputs
        ]
        arguments += [f"{key}={value}" for key, value in sorted(node.attributes.items())]
        results = ", ".join(_describe(graph.value(name)) for name in node.outputs)
        lines.append(f"{results} = {node.op}({', '.join(arguments)})")
    lines.append("outputs  " + ", ".join(map(_describe, graph.outputs)))
    return "\n".join(lines)
