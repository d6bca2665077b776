"""What is known of an integer graph without looking at data."""

from __future__ import annotations

import numpy as np

from fhe_estimators.engine import Integers, run_clear
from fhe_estimators.graph import Graph, evaluate
from fhe_estimators.operators import lookup

#: Operators of integer graphs for which ``f(x + y) == f(x) + f(y)``.
ADDITIVE = frozenset({"MatMul", "Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})


def is_additive(graph: Graph) -> bool:
    """Tell whether the whole graph is an additive function of its one input.

    Such a graph has no table (it costs no bootstrap) and adds no constant.
    """
    return len(graph.inputs) == 1 and all(
        node.op in ADDITIVE and node.inputs[0] not in graph.constants for node in graph
    )


def extremes(graph: Graph) -> list[Integers]:
    """Return rows under which tensors take their smallest and largest integers.

    In front of the first table every tensor is an additive function of the input plus a
    constant, so its extremes are at corners of the box of inputs, and the corner follows
    from the signs of its coefficients. Behind a table the rows are only examples.
    """
    rows = [
        tuple(np.full((1, *value.shape[1:]), bound) for value in graph.inputs)  # type: ignore[index]
        for bound in _ends(graph)
    ]
    if len(graph.inputs) != 1:
        return rows
    source = graph.inputs[0]
    assert source.shape is not None
    assert source.low is not None
    assert source.high is not None
    shape = tuple(int(size or 1) for size in source.shape[1:])
    linear = _before_tables(graph)
    if not linear.nodes:
        return rows
    size = int(np.prod(shape))
    units = np.eye(size, dtype=np.int64).reshape(size, *shape)
    results = _results(linear, np.concatenate([np.zeros_like(units[:1]), units]))
    for node in linear:
        array = results[node.outputs[0]].reshape(size + 1, -1)
        slopes = array[1:] - array[0]
        peaks = np.abs(slopes).sum(axis=0).argmax()
        upwards = slopes[:, peaks] > 0
        for corner in (upwards, ~upwards):
            row = np.where(corner, source.high, source.low).reshape(1, *shape)
            rows.append((row,))
        for column in (
            slopes.clip(min=0).sum(0).argmax(),
            slopes.clip(max=0).sum(0).argmin(),
        ):
            for corner in (slopes[:, column] > 0, slopes[:, column] < 0):
                row = np.where(corner, source.high, source.low).reshape(1, *shape)
                rows.append((row,))
    return rows


def _ends(graph: Graph) -> tuple[int, int]:
    lows = [value.low for value in graph.inputs if value.low is not None]
    highs = [value.high for value in graph.inputs if value.high is not None]
    return min(lows), max(highs)


def _before_tables(graph: Graph) -> Graph:
    known = {value.name for value in graph.inputs}
    nodes = []
    for node in graph:
        encrypted = [name for name in node.inputs if name and name not in graph.constants]
        if node.op != "TableLookup" and known.issuperset(encrypted):
            nodes.append(node)
            known.update(node.outputs)
    return Graph(tuple(nodes), graph.inputs, (), graph.constants, graph.values, graph.opset)


def _results(graph: Graph, rows: np.ndarray) -> dict[str, np.ndarray]:
    return evaluate(
        graph,
        {graph.inputs[0].name: rows},
        lambda node: lookup(node.op, graph.opset)(node),
    )


def norm_bits(graph: Graph) -> float:
    """Return the bits by which an additive graph makes the noise of its input grow."""
    source = graph.inputs[0]
    assert source.shape is not None
    shape = tuple(int(size or 1) for size in source.shape[1:])
    size = int(np.prod(shape))
    units = np.eye(size, dtype=np.int64).reshape(size, *shape)
    norms = [
        np.sqrt((result.reshape(size, -1).astype(float) ** 2).sum(axis=0)).max()
        for result in run_clear(graph, [units])
    ]
    return float(np.log2(max(1.0, *norms)))
