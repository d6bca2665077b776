"""How the inputs of a graph are quantized: what the graph itself says about it."""

from __future__ import annotations

import numpy as np

from fhe_estimators.graph import Graph, Node
from fhe_estimators.operators import lookup
from fhe_estimators.operators.elementwise import Elementwise
from fhe_estimators.operators.layout import Cast, Unchanged
from fhe_estimators.operators.quantized import OntoGrid, Quant
from fhe_estimators.operators.univariate import Univariate
from fhe_estimators.quantization._uniform import UniformQuantizer

#: Operators that take each channel (axis 1) by itself.
_BY_CHANNEL = frozenset(
    {
        "AveragePool",
        "BatchNormalization",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "MaxPool",
    }
)
_PRODUCTS = frozenset({"Gemm", "MatMul"})


def units_of_input(graph: Graph, name: str, rank: int) -> tuple[int, ...]:
    """Return the axes along which the scale of an input may differ.

    A scale of its own for each feature costs nothing where the features are multiplied by
    weights next: the scales go into the weights. Where a convolution comes next, that holds
    for channels.

    Parameters
    ----------
    graph : Graph
    name : str
        Of the input.
    rank : int
        Axes of the input, rows included.
    """
    axes = set(range(1, rank))
    clear = {"", *graph.constants}
    # Functions of the input, element by element; whether a row of one is a vector.
    reached = {name: rank == 2}
    for node in graph:
        if clear.issuperset(node.inputs):
            clear.update(node.outputs)
        read = [reached[source] for source in node.inputs if source in reached]
        if not read:
            continue
        if not (clear | reached.keys()).issuperset(node.inputs):
            return ()
        kind = lookup(node.op, graph.opset)
        if node.op in _PRODUCTS and node.inputs[0] in reached and len(read) == 1:
            # The last axis, which is the only one of vectors.
            axes = axes if read[0] else axes & {rank - 1}
        elif node.op == "Conv" and not read[0] and len(read) == 1:
            axes &= {1}
        elif node.op in _BY_CHANNEL and not read[0]:
            axes &= {1}
            reached.update(dict.fromkeys(node.outputs, False))
        elif node.op == "Flatten" and node.attributes.get("axis", 1) == 1:
            reached.update(dict.fromkeys(node.outputs, True))
        elif issubclass(kind, (Cast, Elementwise, OntoGrid, Unchanged, Univariate)):
            reached.update(dict.fromkeys(node.outputs, all(read)))
        else:
            return ()
    return tuple(sorted(axes))


def trained_grid(graph: Graph, name: str) -> UniformQuantizer | None:
    """Return the quantizer that training put in front of an input, if there is one.

    There is one if all that reads the input is a Quant with the same clear parameters.
    """
    nodes = [node for node in graph if name in node.inputs]
    kinds = {node.op for node in nodes}
    if kinds != {Quant.op_type} or any(value.name == name for value in graph.outputs):
        return None
    found = [_quantizer(graph, node) for node in nodes]
    first = found[0]
    return first if all(quantizer == first for quantizer in found) else None


def _quantizer(graph: Graph, node: Node) -> UniformQuantizer | None:
    if any(source not in graph.constants for source in node.inputs[1:]):
        return None
    scale, zero_point, bits = (graph.constants[source] for source in node.inputs[1:])
    attributes = node.attributes
    signed, narrow = attributes.get("signed", 1), attributes.get("narrow", 0)
    mode = attributes.get("rounding_mode", "ROUND").upper()
    if mode not in ("ROUND", "HALF_EVEN") or (narrow and not signed):
        return None
    return UniformQuantizer(
        int(np.max(bits)),
        signed=bool(signed),
        symmetric=bool(narrow),
        scale=np.asarray(scale, float),
        zero_point=np.asarray(zero_point, float).astype(np.int64),
    )
