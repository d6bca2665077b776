"""Operators written out: what a node does, in nodes of other operators."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Graph, Node
from fhe_estimators.exceptions import UnsupportedOperatorError


class Writer:
    """Collects the nodes that stand for one node, all of the newest operator set.

    Parameters
    ----------
    node : Node
        What is written out.
    graph : Graph
        That it is part of: shapes and constants are looked up there.
    clear : collection of str, optional
        Tensors that do not depend on the inputs of the graph.
    taken : collection of str, optional
        Names that there are already.

    Attributes
    ----------
    node : Node
    nodes : list of Node
    constants : dict of str to ndarray
    """

    def __init__(
        self,
        node: Node,
        graph: Graph,
        clear: Collection[str] = (),
        taken: Collection[str] = (),
    ) -> None:
        self.node, self._graph, self._clear = node, graph, clear
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self._prefix = next(filter(None, node.outputs))
        while {f"{self._prefix}.0", f"{self._prefix}.c0"} & set(taken):
            self._prefix += "'"

    def __call__(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Append a node of one result and return the result's name."""
        return self.several(op, inputs, 1, **attributes)[0]

    def several(
        self, op: str, inputs: Sequence[str], n_results: int, **attributes: Any
    ) -> tuple[str, ...]:
        """Append a node and return the names of its results."""
        stem = f"{self._prefix}.{len(self.nodes)}"
        names = tuple(f"{stem}.{place}" if place else stem for place in range(n_results))
        self.nodes.append(Node(op, tuple(inputs), names, attributes, self.node.name))
        return names

    def same(self, *inputs: str, without: Sequence[str] = ()) -> tuple[str, ...]:
        """Append the node itself, with other inputs and fewer attributes."""
        kept = {k: v for k, v in self.node.attributes.items() if k not in without}
        return self.several(self.node.op, inputs, len(self.node.outputs), **kept)

    def constant(self, array: Any, dtype: Any = None) -> str:
        """Add a constant and return its name."""
        name = f"{self._prefix}.c{len(self.constants)}"
        self.constants[name] = np.asarray(array, dtype)
        return name

    def integers(self, *numbers: int) -> str:
        """Add a constant of integers, as of axes or sizes, and return its name."""
        return self.constant(numbers, np.int64)

    def input(self, place: int) -> str:
        """Return the name of an input of the node, "" if it is left out."""
        inputs = self.node.inputs
        return inputs[place] if place < len(inputs) else ""

    def is_clear(self, place: int) -> bool:
        """Tell whether an input of the node does not depend on those of the graph."""
        return self.input(place) in self._clear

    def known(self, place: int) -> np.ndarray | None:
        """Return an input of the node that is clear, None if it is not, or left out."""
        return self._graph.constants.get(self.input(place))

    def needed(self, place: int) -> np.ndarray:
        """Return an input of the node that has to be clear.

        Raises
        ------
        UnsupportedOperatorError
            If it is not.
        """
        found = self.known(place)
        if found is None:
            raise self.unsupported(f"its input {self.input(place)!r} must be a constant")
        return found

    def shape(self, place: int) -> tuple[int | None, ...]:
        """Return the shape of an input of the node; None stands for the number of rows.

        Raises
        ------
        UnsupportedOperatorError
            If it is not known.
        """
        name = self.input(place)
        known = self._graph.constants.get(name)
        shape = self._graph.value(name).shape if known is None else known.shape
        if shape is None:
            raise self.unsupported(f"the shape of {name!r} is not known")
        return shape

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute of the node."""
        return self.node.attributes.get(name, default)

    def unsupported(self, reason: str) -> UnsupportedOperatorError:
        """Return the error that says why the node cannot be written out."""
        return UnsupportedOperatorError(f"Node {self.node} is not supported: {reason}.")

    def finished(self, results: str | Sequence[str]) -> tuple[Node, ...]:
        """Return the nodes, the last of which write what the node wrote."""
        names = (results,) if isinstance(results, str) else tuple(results)
        made = {name for node in self.nodes for name in node.outputs}
        renamed: dict[str, str] = {}
        for name, result in zip(names, self.node.outputs, strict=False):
            if not result:
                continue
            if name in made and name not in renamed:
                renamed[name] = result
            else:
                self.nodes.append(Node("Identity", (name,), (result,)))
        return tuple(node.renamed(renamed) for node in self.nodes)
