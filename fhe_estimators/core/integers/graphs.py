"""The one builder of integer graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Graph, Node, Value


class GraphBuilder:
    """Collects the nodes of an integer graph, whose tensors all have names and ranges.

    Attributes
    ----------
    constants : dict of str to ndarray
    nodes : list of Node
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self._values: dict[str, Value] = {}

    def constant(self, name: str, array: np.ndarray) -> str:
        """Add a clear integer tensor and return its name."""
        name = self._unique(name)
        self.constants[name] = np.ascontiguousarray(array)
        return name

    def declare(self, value: Value) -> Value:
        """Add an integer tensor, an input for example, and return it."""
        self._values[value.name] = value
        return value

    def value(self, name: str) -> Value:
        """Return a tensor that was declared or appended."""
        return self._values[name]

    def append(
        self,
        op: str,
        inputs: Sequence[str],
        shape: tuple[int | None, ...],
        bounds: tuple[Any, Any] | np.ndarray,
        *,
        result: str,
        **attributes: Any,
    ) -> Node:
        """Add a node and return it.

        Parameters
        ----------
        op : str
        inputs : sequence of str
        shape : tuple of (int or None)
            Of the result.
        bounds : tuple of two arrays of int
            Between which the elements of the result lie.
        result : str
            Its name, with a number behind it if that is taken.
        **attributes
            Of the operator.
        """
        name = self._unique(result)
        low, high = int(np.min(bounds[0])), int(np.max(bounds[1]))
        node = Node(op, tuple(inputs), (name,), attributes, name)
        self.nodes.append(node)
        self.declare(Value(name, shape, low, high))
        return node

    def build(self, inputs: Sequence[Value], outputs: Sequence[str]) -> Graph:
        """Return the integer graph between `inputs` and the tensors named `outputs`."""
        return Graph(
            tuple(self.nodes),
            tuple(inputs),
            tuple(self._values[name] for name in outputs),
            self.constants,
            self._values,
        )

    def _unique(self, name: str) -> str:
        taken = self.constants.keys() | self._values.keys()
        if name not in taken:
            return name
        return next(
            candidate
            for number in range(1, len(taken) + 2)
            if (candidate := f"{name}.{number}") not in taken
        )
