"""Attention that must not look at some steps: masks in front of softmax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fhe_estimators.core.graph import Graph, Node, Value

#: What is that far below the largest number of a mask has no part of a softmax: the
#: exponential of a tenth of it is zero in single precision.
_FAR = 1e3


def without_masked(graph: Graph) -> Graph:
    """Leave masked scores out of softmax, rather than compute with huge numbers.

    Scores to which minus infinity, or a number nearly as far, is added, or that are
    replaced by it, have the exponential zero. Where a mask is known, such a score becomes a
    copy of another of the same softmax, which moves no maximum, and its exponential is
    multiplied by zero. Ranges of integers then are those of scores::

        softmax(x + mask)  ->  p / sum(p) with p = exp(y - max(y)) * (mask is not far below)
    """
    made = {node.outputs[0]: node for node in graph}
    constants, values = dict(graph.constants), dict(graph.values)
    nodes: list[Node] = []
    for node in graph:
        mask = _mask(graph, made.get(node.inputs[0])) if node.op == "Softmax" else None
        written = None if mask is None else _written(graph, node, *mask)
        if written is None:
            nodes.append(node)
            continue
        parts, known, shape = written
        nodes += parts
        constants.update(known)
        values.update((n, Value(n, shape)) for part in parts for n in part.outputs[:1])
    return replace(graph, nodes=tuple(nodes), constants=constants, values=values)


def _mask(graph: Graph, node: Node | None) -> tuple[str, np.ndarray] | None:
    """Return the scores behind a node that masks them, and what is added to them."""
    if node is None:
        return None
    known = graph.constants
    if node.op == "Add":
        for x, mask in (node.inputs, node.inputs[::-1]):
            if mask in known and x not in known:
                return x, known[mask]
    if node.op == "Where" and node.inputs[0] in known:
        condition, (_, yes, no) = known[node.inputs[0]].astype(bool), node.inputs
        for x, other, masked in ((no, yes, condition), (yes, no, ~condition)):
            if other in known and x not in known and (known[other] <= -_FAR).all():
                return x, np.where(masked, -np.inf, 0.0)
    return None


Written = tuple[list[Node], Mapping[str, np.ndarray], tuple[int | None, ...]]


def _written(graph: Graph, node: Node, x: str, mask: np.ndarray) -> Written | None:
    """Return a softmax of scores that are not masked, in parts; None if there are none."""
    shape = graph.value(node.inputs[0]).shape
    if shape is None or shape[0] is not None or None in shape[1:]:
        return None
    sizes = (1, *(int(size or 0) for size in shape[1:]))
    axis = int(node.attributes.get("axis", -1)) % len(sizes)
    if axis == 0 or mask.ndim > len(sizes) or (mask.ndim == len(sizes) and len(mask) > 1):
        return None
    added = np.broadcast_to(mask, sizes)
    largest = added.max(axis=axis, keepdims=True)
    if not np.isfinite(largest).all() or graph.value(x).shape != shape:
        return None
    there = added > largest - _FAR
    if there.all():
        return None
    # Each masked score becomes the first one of its softmax that is not masked.
    numbers = np.arange(added.size).reshape(sizes)
    first = np.expand_dims(there.argmax(axis=axis), axis)
    places = np.where(there, numbers, np.take_along_axis(numbers, first, axis)).ravel()
    (result,), name = node.outputs, node.name
    constants = {
        f"{result}.mask": np.where(there, added, 0).astype(np.float32),
        f"{result}.flat": np.array([0, -1]),
        f"{result}.places": places,
        f"{result}.shape": np.array([0, *sizes[1:]]),
        f"{result}.axes": np.array([axis]),
        f"{result}.there": there.astype(np.float32),
    }

    def part(op: str, inputs: str, output: str, **attributes: int) -> Node:
        names = tuple(f"{result}.{each}" for each in inputs.split())
        return Node(op, names, (f"{result}.{output}",), attributes, name)

    y = Node("Add", (x, f"{result}.mask"), (f"{result}.added",), {}, name)
    if not constants[f"{result}.mask"].any():
        y = Node("Identity", (x,), y.outputs, {}, name)
    parts = [
        y,
        part("Reshape", "added flat", "scores"),
        part("Gather", "scores places", "taken", axis=1),
        part("Reshape", "taken shape", "other"),
        part("ReduceMax", "other axes", "largest"),
        part("Sub", "other largest", "below"),
        part("Exp", "below", "all"),
        part("Mul", "all there", "powers"),
        part("ReduceSum", "powers axes", "total"),
        part("Reciprocal", "total", "share"),
        Node("Mul", (f"{result}.powers", f"{result}.share"), (result,), {}, name),
    ]
    return parts, constants, shape
