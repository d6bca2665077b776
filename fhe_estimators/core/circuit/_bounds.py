"""What is known of an integer graph without looking at data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import csc_array

from fhe_estimators.core.engine import Integers
from fhe_estimators.core.graph import Graph, Node, Value, evaluate
from fhe_estimators.core.operators import kinds_of, operators_of

#: Numbers that are worked on at once.
_BLOCK = 1 << 21


def is_additive(graph: Graph) -> bool:
    """Tell whether the whole graph is an additive function of its one input.

    Such a graph has no table (it costs no bootstrap) and adds no constant.
    """
    kind_of = kinds_of(graph)
    return len(graph.inputs) == 1 and all(
        kind_of(node).additive and node.inputs[0] not in graph.constants for node in graph
    )


def extremes(graph: Graph) -> list[Integers]:
    """Return rows under which tensors take their smallest and largest integers.

    In front of the first table a tensor is ``base + sum_k slope_k q_k`` for the inputs
    ``q``, so its extremes are at corners of the box of inputs, which the signs of the
    slopes tell; in a thermometer code, at one of its steps. Behind a table the rows are
    only examples.
    """
    rows = [
        tuple(np.full((1, *_shape(value)), bound) for value in graph.inputs)
        for bound in _ends(graph)
    ]
    if len(graph.inputs) != 1:
        return rows
    chosen, graph = _behind_choice(graph)
    source, linear = graph.inputs[0], _before_tables(graph)
    affine = _affine(linear)
    results = {} if affine else _at_units(linear)
    for node in linear:
        for sign in (-1, 1):
            if affine:
                corner = _corner(*affine[node.outputs[0]], sign, source)
            else:
                at_units = results[node.outputs[0]]
                at_units = at_units.reshape(int(np.prod(_shape(source))) + 1, -1)
                corner = _highest_sum(sign * at_units, source)
            corner = corner.reshape(1, *_shape(source))
            if chosen is not None:
                corner, some = np.zeros_like(rows[0][0]), corner
                corner[:, chosen] = some
            rows.append((corner,))
    return rows


def _behind_choice(graph: Graph) -> tuple[np.ndarray | None, Graph]:
    """Return what a graph reads of its rows, where it begins so, and the graph behind.

    Of many bits that can be compared with few are read, and slopes are those of these.
    """
    (source,) = graph.inputs
    first, *rest = graph.nodes or (None,)
    if first is None or first.op != "Gather" or len(_shape(source)) != 1:
        return None, graph
    is_read = any(source.name in node.inputs for node in rest)
    chosen = graph.constants.get(first.inputs[1], np.empty(0))
    if is_read or chosen.ndim != 1 or not (np.diff(chosen, prepend=-1) > 0).all():
        return None, graph
    found = graph.value(first.outputs[0])
    low, high = source.bounds
    # A code whose bits are left out in part is a shorter code.
    ends = np.searchsorted(chosen, np.cumsum([0, *source.runs]))
    runs = tuple(size for size in np.diff(ends).tolist() if size)
    found = replace(found, low=low, high=high, runs=runs)
    return chosen, replace(graph, nodes=tuple(rest), inputs=(found,))


def _affine(linear: Graph) -> dict[str, tuple[np.ndarray, csc_array]] | None:
    """Return the bases and slopes of tensors, by name.

    None unless all nodes are products of rows of the input, and sums of these with
    constants: then most slopes can be zero, and only the others are looked at.

    Parameters
    ----------
    linear : Graph
        Of one input, without tables.
    """
    found: dict[str, tuple[np.ndarray, csc_array]] = {}
    for node in linear:
        operand, *others = node.inputs
        result = node.outputs[0]
        if _is_product(linear, node):
            weights = linear.constants[others[0]]
            found[result] = np.zeros(weights.shape[1], np.int64), csc_array(weights)
        elif node.op == "Add" and operand in found and others[0] in linear.constants:
            base, slopes = found[operand]
            constant = linear.constants[others[0]]
            if constant.size != base.size:
                return None
            found[result] = base + constant.ravel(), slopes
        else:
            return None
    return found


def _corner(base: np.ndarray, slopes: csc_array, sign: int, source: Value) -> np.ndarray:
    """Return the input at which the largest of several sums is largest.

    Parameters
    ----------
    base : ndarray of shape (n_sums,)
    slopes : sparse array of shape (n_inputs, n_sums)
    sign : {-1, 1}
        Whether the smallest is wanted, where it is smallest.
    source : Value
    """
    low, high = source.bounds
    n_sums = len(base)
    slopes = slopes.sorted_indices()
    data, columns = sign * slopes.data, np.repeat(np.arange(n_sums), np.diff(slopes.indptr))
    sums = sign * (base + low * slopes.sum(axis=0))
    if data.size:
        # Of a code, which rises once, the largest sum of what follows, or nothing.
        runs = np.repeat(np.arange(len(source.runs)), source.runs)
        runs = runs[slopes.indices] if source.runs else slopes.indices
        starts = (np.diff(columns, prepend=-1) != 0) | (np.diff(runs, prepend=-1) != 0)
        (starts,) = starts.nonzero()
        before = data.cumsum() - data
        ends = np.append(before[starts[1:]], before[-1] + data[-1])
        lengths = np.diff(starts, append=len(data))
        tails = np.maximum.reduceat(np.repeat(ends, lengths) - before, starts)
        np.add.at(sums, columns[starts], (high - low) * np.maximum(tails, 0))
    found = slopes[:, [int(sums.argmax())]].toarray()
    corner: np.ndarray = _highest(sign * found, source)[:, 0]
    return corner


def _highest_sum(at_units: np.ndarray, source: Value) -> np.ndarray:
    """Return the input at which the largest of several sums is largest.

    Parameters
    ----------
    at_units : ndarray of shape (n_inputs + 1, n_sums)
        At zero and at each unit vector.
    source : Value
    """
    best: tuple[float, np.ndarray] | None = None
    step = max(1, _BLOCK // len(at_units))
    for start in range(0, at_units.shape[1], step):
        base, units = at_units[0, start : start + step], at_units[1:, start : start + step]
        slopes = units - base
        corners = _highest(slopes, source)
        sums = base + (slopes * corners).sum(axis=0)
        place = int(sums.argmax())
        if best is None or sums[place] > best[0]:
            best = sums[place], corners[:, place]
    assert best is not None
    return best[1]


def _highest(slopes: np.ndarray, source: Value) -> np.ndarray:
    """Return the inputs, as columns, at which sums ``slopes.T @ q`` are largest."""
    low, high = source.bounds
    if not source.runs:
        return np.where(slopes > 0, high, low)
    corners = np.full_like(slopes, low)
    starts = np.cumsum([0, *source.runs])
    for start, stop in pairwise(starts.tolist()):
        # A code rises once, somewhere: sums over what follows, none of it included.
        tails = np.zeros((stop - start + 1, slopes.shape[1]), slopes.dtype)
        tails[:-1] = slopes[start:stop][::-1].cumsum(axis=0)[::-1]
        rises = tails.argmax(axis=0)
        corners[start:stop] = np.where(
            np.arange(stop - start)[:, np.newaxis] >= rises, high, low
        )
    return corners


def _shape(value: Value) -> tuple[int, ...]:
    """Return the shape of one row."""
    assert value.shape is not None
    return tuple(int(size or 1) for size in value.shape[1:])


def _ends(graph: Graph) -> tuple[int, int]:
    lows, highs = zip(*(value.bounds for value in graph.inputs), strict=True)
    return min(lows), max(highs)


def _at_units(graph: Graph) -> dict[str, np.ndarray]:
    """Compute a graph of one input at zero and at each unit vector.

    A product of rows gives zero and its weights: where nothing else reads the input, the
    unit vectors are not needed, whose numbers are the square of those of a row.
    """
    (source,), operator_of = graph.inputs, operators_of(graph)
    shape = _shape(source)
    readers = [node for node in graph if source.name in node.inputs]
    units = None
    is_result = source.name in {value.name for value in graph.outputs}
    if is_result or not all(_is_product(graph, node) for node in readers):
        size = int(np.prod(shape))
        units = np.concatenate([np.zeros((1, size)), np.eye(size)]).astype(np.int64)
        units = units.reshape(size + 1, *shape)

    def implementation(node: Node) -> Callable[..., Any]:
        if units is None and node in readers:
            return lambda _, weights: np.pad(weights, ((1, 0), (0, 0)))
        return operator_of(node)

    return evaluate(graph, {source.name: units}, implementation)


def _is_product(graph: Graph, node: Node) -> bool:
    """Tell whether a node multiplies rows of the graph's input by a clear matrix."""
    (source,) = graph.inputs
    if node.op != "MatMul" or node.inputs[0] != source.name or len(_shape(source)) != 1:
        return False
    return node.inputs[1] in graph.constants and graph.constants[node.inputs[1]].ndim == 2


def _before_tables(graph: Graph) -> Graph:
    known = {value.name for value in graph.inputs}
    nodes = []
    kind_of = kinds_of(graph)
    for node in graph:
        encrypted = [name for name in node.inputs if name and name not in graph.constants]
        if not kind_of(node).bootstraps and known.issuperset(encrypted):
            nodes.append(node)
            known.update(node.outputs)
    return Graph(tuple(nodes), graph.inputs, (), graph.constants, graph.values, graph.opset)


def norm_bits(graph: Graph) -> float:
    """Return the bits by which an additive graph makes the noise of its input grow."""
    results = _at_units(graph)
    norms = [
        np.linalg.norm(array.reshape(len(array), -1).astype(float), axis=0).max()
        for array in (results[value.name] for value in graph.outputs)
    ]
    return float(np.log2(max(1.0, *norms)))
