"""Branches and loops whose course is known: written out, node after node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Graph, Node, as_tuple
from fhe_estimators.core.operators import lookup
from fhe_estimators.exceptions import UnsupportedOperatorError

#: Nodes that loops are written out to, at most.
_MOST_NODES = 100_000


def unrolled(graph: Graph) -> Graph:
    """Return the graph with branches and loops written out.

    What an ``If`` asks and how often a ``Loop`` runs must be constants, or computed from
    constants and known sizes.

    Parameters
    ----------
    graph : Graph
        The bodies of its ``If`` and ``Loop`` nodes are graphs among their attributes.

    Raises
    ------
    UnsupportedOperatorError
        If the course of a branch or a loop depends on the inputs.
    """
    if not any(node.op in ("If", "Loop") for node in graph):
        return graph
    course = _Course(graph)
    for node in graph:
        course.append(node, {})
    return replace(graph, nodes=tuple(course.nodes), constants=course.constants)


class _Course:
    """Nodes that are computed whatever the inputs are."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = dict(graph.constants)
        self._makers: dict[str, Node] = {}
        #: For two numbers of rows, which are not known.
        self._computed: dict[str, tuple[np.ndarray, ...]] = {}

    def append(self, node: Node, names: Mapping[str, str]) -> None:
        """Append a node whose inputs and results have other names than in its body."""
        node = node.renamed(names)
        if node.op == "If":
            self._branch(node, names)
        elif node.op == "Loop":
            self._loop(node, names)
        else:
            self.nodes.append(node)
            self._makers.update((name, node) for name in node.outputs)
            if len(self.nodes) > _MOST_NODES:
                raise UnsupportedOperatorError(
                    f"Node {node} is one of more than {_MOST_NODES:,} that loops are "
                    "written out to. Use fewer steps."
                )

    def _known(self, name: str) -> np.ndarray | None:
        """Return what a tensor always holds, None if that is not known."""
        worlds = self._worlds(name)
        if not worlds or not np.array_equal(worlds[0], worlds[1]):
            return None
        return worlds[0]

    def _worlds(self, name: str) -> tuple[np.ndarray, ...]:
        """Return what a tensor holds for two numbers of rows; nothing if not known."""
        if name in self.constants:
            return (self.constants[name],) * 2
        if name not in self._computed:
            self._computed[name] = ()
            node = self._makers.get(name)
            if node is not None:
                self._compute(node)
        return self._computed[name]

    def _compute(self, node: Node) -> None:
        operator = lookup(node.op, self._graph.opset)(node)
        if operator.reads_sizes:
            shape = self._graph.value(node.inputs[0]).shape
            if shape is None or None in shape[1:]:
                return
            # No element is read: an array that takes no memory.
            worlds: list[list[Any]] = [
                [np.broadcast_to(0, [n if size is None else size for size in shape])]
                for n in (2, 3)
            ]
        else:
            known = [self._worlds(name) if name else (None, None) for name in node.inputs]
            if not all(known):
                return
            worlds = [[each[world] for each in known] for world in (0, 1)]
        found = [as_tuple(operator(*arguments)) for arguments in worlds]
        for name, *results in zip(node.outputs, *found, strict=False):
            self._computed[name] = tuple(map(np.asarray, results))

    def _needed(self, node: Node, name: str, what: str) -> np.ndarray:
        found = self._known(name)
        if found is None:
            raise UnsupportedOperatorError(
                f"Node {node} is not supported: {what}, {name!r}, depends on what is "
                "encrypted, or on a size that is not known. Encrypted numbers cannot "
                "decide what is computed: compute both branches and choose with Where."
            )
        return found

    def _body(
        self, body: Graph, names: Mapping[str, str], prefix: str, given: Mapping[str, str]
    ) -> list[str]:
        """Append the nodes of a body and return the names of its results."""
        inner = {**names, **given}
        for name, array in body.constants.items():
            inner[name] = f"{prefix}{name}"
            self.constants[inner[name]] = array
        for node in body:
            inner.update((name, f"{prefix}{name}") for name in node.outputs if name)
            self.append(node, inner)
        return [inner.get(value.name, value.name) for value in body.outputs]

    def _branch(self, node: Node, names: Mapping[str, str]) -> None:
        condition = self._needed(node, node.inputs[0], "its condition")
        which = "then_branch" if np.asarray(condition).item() else "else_branch"
        body = node.attributes[which]
        results = self._body(body, names, f"{node.outputs[0]}.{which}.", {})
        self._assign(node.outputs, results)

    def _assign(self, outputs: tuple[str, ...], results: list[str]) -> None:
        for name, result in zip(outputs, results, strict=True):
            if name:
                self.append(Node("Identity", (result,), (name,)), {})

    def _loop(self, node: Node, names: Mapping[str, str]) -> None:
        body = node.attributes["body"]
        count, condition, *state = (*node.inputs, "", "")[: max(2, len(node.inputs))]
        if not count:
            raise UnsupportedOperatorError(
                f"Node {node} is not supported: it runs as long as a condition holds. Use "
                "a constant number of steps."
            )
        n_steps = int(self._needed(node, count, "its number of steps").item())
        goes_on = not condition or bool(
            self._needed(node, condition, "its condition").item()
        )
        collected: list[list[str]] = [[] for _ in node.outputs[len(state) :]]
        step = 0
        while goes_on and step < n_steps:
            prefix = f"{node.outputs[0]}.step{step}."
            self.constants[f"{prefix}number"] = np.asarray(step, np.int64)
            self.constants[f"{prefix}condition"] = np.asarray(True)
            given = [f"{prefix}number", f"{prefix}condition", *state]
            inputs = (value.name for value in body.inputs)
            inner = dict(zip(inputs, given, strict=True))
            condition, *results = self._body(body, names, prefix, inner)
            goes_on = bool(self._needed(node, condition, "its condition").item())
            state, found = results[: len(state)], results[len(state) :]
            for each, name in zip(collected, found, strict=True):
                each.append(name)
            step += 1
        self._assign(node.outputs[: len(state)], state)
        first = np.zeros(1, np.int64)
        for name, each in zip(node.outputs[len(state) :], collected, strict=True):
            if not each:
                raise UnsupportedOperatorError(
                    f"Node {node} is not supported: it collects {name!r} in no steps."
                )
            self.constants[f"{name}.axis"] = first
            parts = [f"{name}.{place}" for place in range(len(each))]
            for source, part in zip(each, parts, strict=True):
                self.append(Node("Unsqueeze", (source, f"{name}.axis"), (part,)), {})
            self.append(Node("Concat", tuple(parts), (name,), {"axis": 0}), {})
