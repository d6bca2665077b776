"""What a graph may hold at each stage, as a list of rules.

A rule is a generator of complaints; a graph is legal when no rule complains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Protocol

import numpy as np

from fhe_estimators.core.graph._graph import Graph, Node
from fhe_estimators.core.graph._show import show
from fhe_estimators.exceptions import BitWidthError, GraphError, UnsupportedOperatorError

_NO_ASSIGNMENT = (
    "assignment to elements that are not known before, or not the same of every row, has "
    "no encrypted form, nor has a reduction: join parts with torch.cat, or choose elements "
    "with torch.where"
)
_NO_BRANCHES = "loops over slices are not supported: write their steps out one by one"
#: What to do instead, where that is not plain.
_INSTEAD = {
    **dict.fromkeys(("ScatterND", "ScatterElements", "Scatter"), _NO_ASSIGNMENT),
    "Scan": _NO_BRANCHES,
    "DynamicQuantizeLinear": (
        "its scale depends on what is encrypted: quantize with static ranges, as "
        "onnxruntime's quantize_static does"
    ),
}


class OperatorFacts(Protocol):
    """What rules ask about an operator."""

    #: Whether infinity is one more end: for what compares and chooses. Calibration tells
    #: whether it comes out again.
    takes_infinity: ClassVar[bool]

    @classmethod
    def table_bits(cls, node: Node, graph: Graph) -> int:
        """Return the bits of the index of a node's table; 0 without a table."""


Operators = Mapping[str, type[OperatorFacts]]
Complaint = tuple[type[Exception], str]
Rule = Callable[[Graph, Operators], Iterator[Complaint]]


@dataclass(frozen=True)
class Spec:
    """The name of a stage and its rules."""

    name: str
    rules: tuple[Rule, ...]

    def limited(self, table_bits: int) -> Spec:
        """Return the rules of an engine whose tables read at most `table_bits` bits."""
        return replace(self, rules=(*self.rules, partial(_small_tables, table_bits)))


def _wired(graph: Graph, operators: Operators) -> Iterator[Complaint]:
    known = {value.name for value in graph.inputs} | set(graph.constants)
    if len(known) != len(graph.inputs) + len(graph.constants):
        yield GraphError, "an input and a constant share a name"
    for node in graph:
        for name in node.inputs:
            if name and name not in known:
                yield (
                    GraphError,
                    f"node {node} reads {name!r} before anything wrote it",
                )
        for name in node.outputs:
            if name in known:
                yield GraphError, f"node {node} writes {name!r} a second time"
            known.add(name)
    for value in graph.outputs:
        if value.name not in known:
            yield GraphError, f"nothing writes the output {value.name!r}"


def _known_operators(graph: Graph, operators: Operators) -> Iterator[Complaint]:
    for node in graph:
        if node.op not in operators:
            cure = _INSTEAD.get(node.op)
            yield (
                UnsupportedOperatorError,
                f"node {node} uses {node.op}; {f'{cure}; ' if cure else ''}supported at "
                f"this stage: {', '.join(sorted(operators))}",
            )


def _defined_constants(graph: Graph, operators: Operators) -> Iterator[Complaint]:
    for name, array in graph.constants.items():
        if array.dtype.kind == "f" and np.isnan(array).any():
            yield GraphError, f"constant {name!r} holds nan or infinity"


def _finite_constants(graph: Graph, operators: Operators) -> Iterator[Complaint]:
    for node in graph:
        kind = operators.get(node.op)
        if kind and kind.takes_infinity:
            continue
        for name in dict.fromkeys(node.inputs):
            if name not in graph.constants:
                continue
            array = graph.constants[name]
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                yield (
                    GraphError,
                    f"constant {name!r} holds nan or infinity, and node {node} computes "
                    "with it on encrypted data. Use finite numbers, for example -1e4 "
                    "instead of -inf in a mask",
                )


def _integer_constants(graph: Graph, operators: Operators) -> Iterator[Complaint]:
    for name, array in graph.constants.items():
        if array.dtype.kind not in "iu":
            yield GraphError, f"constant {name!r} is {array.dtype}, not an integer"


def _known_ranges(graph: Graph, operators: Operators) -> Iterator[Complaint]:
    names = [value.name for value in (*graph.inputs, *graph.outputs)]
    names += [name for node in graph for name in node.outputs]
    for name in names:
        value = graph.value(name)
        if value.low is None or value.high is None:
            yield GraphError, f"the range of {name!r} is unknown"
        elif value.low > value.high:
            yield GraphError, f"the range of {name!r} is empty"
        elif value.bits is not None and value.bits > 62:
            yield (
                BitWidthError,
                f"{name!r} needs {value.bits} bits, more than any integer type of the "
                "engine; use a smaller n_bits",
            )


def _small_tables(
    table_bits: int, graph: Graph, operators: Operators
) -> Iterator[Complaint]:
    for node in graph:
        kind = operators.get(node.op)
        bits = kind.table_bits(node, graph) if kind else 0
        if bits > table_bits:
            yield (
                BitWidthError,
                f"the table {node} reads {bits} bits; the limit is {table_bits}. Round "
                "sums to fewer bits, use a smaller n_bits, fewer inputs per neuron, or "
                "prune weights",
            )


FLOAT = Spec("float", (_wired, _known_operators, _defined_constants))
ENCRYPTED = Spec("encrypted float", (*FLOAT.rules, _finite_constants))
INTEGER = Spec(
    "integer",
    (_wired, _known_operators, _integer_constants, _known_ranges),
)


def check(graph: Graph, spec: Spec, operators: Operators) -> Graph:
    """Return `graph` if it is legal at a stage.

    Parameters
    ----------
    graph : Graph
    spec : Spec
        ``FLOAT`` for what runs in clear, ``ENCRYPTED`` before quantization, ``INTEGER``
        behind it, and so `limited` before compilation.
    operators : mapping of str to type
        The operators that the stage knows, with the facts that rules ask for.

    Returns
    -------
    graph : Graph
        The same object.

    Raises
    ------
    GraphError, UnsupportedOperatorError, BitWidthError
        With the offending node and the graph as text.
    """
    for rule in spec.rules:
        for error, complaint in rule(graph, operators):
            raise error(f"Not a legal {spec.name} graph: {complaint}.\n{show(graph)}")
    return graph
