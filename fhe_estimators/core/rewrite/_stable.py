"""Write functions that overflow on the way as those that do not.

Exporters write the logarithm of a sigmoid as one function after the other: far below zero
the sigmoid is zero, and its logarithm minus infinity, where the function itself is finite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fhe_estimators.core.graph import Graph, Node, Value

#: Operators of one tensor, the first applied first; attributes are those of the last.
Chain = tuple[str, ...]
Found = tuple[str, Chain, Mapping[str, object]]


def stabilize(graph: Graph) -> Graph:
    """Replace sequences of functions that overflow by functions that do not.

    ==========================  ====================
    sequence                    replaced by
    ==========================  ====================
    ``log(sigmoid(x))``         ``-softplus(-x)``
    ``log(1 - sigmoid(x))``     ``-softplus(x)``
    ``log(1 + exp(x))``         ``softplus(x)``
    ``log(softmax(x))``         ``log_softmax(x)``
    ``exp(x) / (1 + exp(x))``   ``sigmoid(x)``
    ==========================  ====================
    """
    known = _Known({node.outputs[0]: node for node in graph}, graph.constants)
    nodes: list[Node] = []
    values = dict(graph.values)
    for node in graph:
        rule = _RULES.get(node.op)
        found = rule(known, node) if rule else None
        if found is None:
            nodes.append(node)
            continue
        source, chain, attributes = found
        (result,), shape = node.outputs, graph.value(node.outputs[0]).shape
        for place, op in enumerate(chain, start=1):
            last = place == len(chain)
            name = result if last else f"{result}.{op.lower()}"
            nodes.append(
                Node(op, (source,), (name,), attributes if last else {}, node.name)
            )
            values.setdefault(name, Value(name, shape))
            source = name
    return replace(graph, nodes=tuple(nodes), values=values)


@dataclass(frozen=True)
class _Known:
    """Where tensors come from."""

    nodes: Mapping[str, Node]
    constants: Mapping[str, np.ndarray]

    def argument(self, name: str, op: str) -> str | None:
        """Return the input of the node of a tensor if that is an `op`, else None."""
        node = self.nodes.get(name)
        return node.inputs[0] if node is not None and node.op == op else None

    def operands(self, name: str, op: str) -> tuple[str, ...]:
        """Return the inputs of the node of a tensor if that is an `op`, else ()."""
        node = self.nodes.get(name)
        return node.inputs if node is not None and node.op == op else ()

    def is_one(self, name: str) -> bool:
        """Tell whether a tensor is the number 1."""
        array = self.constants.get(name)
        return array is not None and array.size == 1 and bool((array == 1).all())

    def exponent_of_sum(self, name: str) -> str | None:
        """Return ``x`` if the tensor is ``1 + exp(x)``."""
        operands = self.operands(name, "Add")
        for place, operand in enumerate(operands):
            if self.is_one(operand):
                return self.argument(operands[1 - place], "Exp")
        return None


def _logarithm(known: _Known, node: Node) -> Found | None:
    (name,) = node.inputs
    x = known.argument(name, "Sigmoid")
    if x is not None:
        return x, ("Neg", "Softplus", "Neg"), {}
    x = known.argument(name, "Softmax")
    if x is not None:
        return x, ("LogSoftmax",), known.nodes[name].attributes
    x = known.exponent_of_sum(name)
    if x is not None:
        return x, ("Softplus",), {}
    operands = known.operands(name, "Sub")
    if operands and known.is_one(operands[0]):
        x = known.argument(operands[1], "Sigmoid")
        return None if x is None else (x, ("Softplus", "Neg"), {})
    return None


def _quotient(known: _Known, node: Node) -> Found | None:
    numerator, denominator = node.inputs
    x = known.argument(numerator, "Exp")
    if x is None or known.exponent_of_sum(denominator) != x:
        return None
    return x, ("Sigmoid",), {}


#: Operator that ends a sequence -> what finds the sequence.
_RULES: Mapping[str, Callable[[_Known, Node], Found | None]] = {
    "Div": _quotient,
    "Log": _logarithm,
}
