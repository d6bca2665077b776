"""Graphs as documents: the portable form of a model, from which it is compiled again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fhe_estimators.core.graph import FLOAT, INTEGER, Graph, Node, Value, check
from fhe_estimators.core.operators import operators_of, supported
from fhe_estimators.deployment._kinds import (
    Array,
    Arrays,
    Flag,
    Integer,
    Named,
    Optional,
    Record,
    Several,
    Text,
    fail,
)
from fhe_estimators.exceptions import (
    BitWidthError,
    GraphError,
    UnsupportedOperatorError,
)

_WIDEST = 1 << 62
_MOST_AXES, _MOST_NODES = 16, 100_000

_BOUND = Optional(Integer(-_WIDEST, _WIDEST))

#: A tensor.
VALUE = Record(
    Value,
    {
        "name": Text(),
        "shape": Optional(Several(Optional(Integer()), _MOST_AXES)),
        "low": _BOUND,
        "high": _BOUND,
        "runs": Several(Integer()),
        "wraps": Flag(),
    },
)


class _Attribute:
    """What an attribute of a node may be: a number, a text, or a list of them."""

    def write(self, value: Any, arrays: list[np.ndarray]) -> Any:
        if isinstance(value, list | tuple):
            return [self.write(member, arrays) for member in value]
        if isinstance(value, np.generic):
            value = value.item()
        if type(value) not in (bool, int, float, str):
            raise TypeError(f"cannot store an attribute {value!r:.80}")
        return value

    def read(self, document: Any, arrays: Arrays, where: str) -> Any:
        if type(document) is list:
            return [self.read(m, arrays, f"{where}[{n}]") for n, m in enumerate(document)]
        if type(document) not in (bool, int, float, str):
            fail(where, document, "a number, a text, or a list")
        return document


#: An application of an operator.
NODE = Record(
    Node,
    {
        "op": Text(),
        "inputs": Several(Text()),
        "outputs": Several(Text()),
        "attributes": Named(_Attribute()),
    },
)


def _graph(values: tuple[Value, ...], **parts: Any) -> Graph:
    return Graph(values={value.name: value for value in values}, **parts)


def _parts(graph: Graph) -> Mapping[str, Any]:
    read = {name for node in graph for name in node.inputs}
    read |= {value.name for value in graph.outputs}
    kept = {name: array for name, array in graph.constants.items() if name in read}
    return {**vars(graph), "constants": kept, "values": tuple(graph.values.values())}


def _checked(make: Any, integer: bool) -> Any:
    """Return what makes a graph and checks it, down to attributes of nodes."""

    def checked(**parts: Any) -> Graph:
        try:
            graph = check(
                make(**parts), INTEGER if integer else FLOAT, supported(integer=integer)
            )
            operator_of = operators_of(graph)
            for node in graph:
                operator_of(node)
        except (GraphError, BitWidthError, UnsupportedOperatorError) as error:
            # Without the graph as text, which may be long.
            raise ValueError(str(error).partition("\n")[0]) from error
        return graph

    return checked


_PARTS: Mapping[str, Any] = {
    "opset": Integer(1, 100),
    "inputs": Several(VALUE),
    "outputs": Several(VALUE),
    "values": Several(VALUE),
    "nodes": Several(NODE, _MOST_NODES),
    "constants": Named(Array("biuf")),
}
#: A graph on real numbers, and one on integers.
FLOAT_GRAPH = Record(_checked(_graph, integer=False), _PARTS, _parts)
INTEGER_GRAPH = Record(_checked(_graph, integer=True), _PARTS, _parts)
