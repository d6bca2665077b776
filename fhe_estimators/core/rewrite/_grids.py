"""Integers of quantized files as real numbers on their grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fhe_estimators.core.graph import Graph, Node
from fhe_estimators.core.operators import kinds_of, operators_of
from fhe_estimators.core.operators.integer_arithmetic import Integral, along
from fhe_estimators.core.operators.layout import Layout, Unchanged
from fhe_estimators.core.operators.pooling import MaxPool
from fhe_estimators.core.operators.univariate import Clip

#: Widest integers that are used as they are; wider ones are those of biases.
_MOST_BITS = 16


class _Scale(NamedTuple):
    """What integers stand for: ``scale * (q - zero)``, with names of both."""

    scale: str
    zero: str
    axis: int


def on_grids(graph: Graph) -> Graph:
    """Write tensors of integers, between quantizing and dequantizing, as real numbers.

    ``QuantizeLinear`` becomes a function onto a grid of real numbers, which stay what they
    are through operators that move or compare them, and ``DequantizeLinear`` of the same
    scale nothing at all. Weights that are integers become numbers on a grid: products use
    their integers as they are.
    """
    kind_of = kinds_of(graph)
    if not any(issubclass(kind_of(node), Integral) for node in graph):
        return graph
    return _OnGrids(graph).written()


class _Ends(NamedTuple):
    """The smallest and the largest integer."""

    min: float
    max: float


class _OnGrids:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._kind_of, self._operator_of = kinds_of(graph), operators_of(graph)
        self.constants = dict(graph.constants)
        self.nodes: list[Node] = []
        #: Tensors that hold numbers in the place of integers.
        self._scales: dict[str, _Scale] = {}
        self._integers: dict[str, str] = {}

    def written(self) -> Graph:
        """Return the graph without integers."""
        for node in self._graph:
            if node.op == "QuantizeLinear":
                self._onto_grid(node)
            elif node.op == "DequantizeLinear":
                self._dequantize(node)
            elif node.inputs and node.inputs[0] in self._scales and self._commutes(node):
                if node.op == "Clip":
                    self._clip(node)
                else:
                    self.nodes.append(node)
                self._scales[node.outputs[0]] = self._scales[node.inputs[0]]
            else:
                inputs = tuple(map(self._as_integers, node.inputs))
                self.nodes.append(replace(node, inputs=inputs))
        outputs = {value.name for value in self._graph.outputs} & self._scales.keys()
        renamed = {name: f"{name}.numbers" for name in outputs}
        self.nodes = [node.renamed(renamed) for node in self.nodes]
        for name in sorted(outputs):
            self._write_integers(renamed[name], self._scales[name], name)
        return replace(self._graph, nodes=tuple(self.nodes), constants=self.constants)

    def _constant(self, name: str, array: object) -> str:
        self.constants[name] = np.asarray(array)
        return name

    def _parameters(self, node: Node, place: int) -> _Scale:
        """Return the scale and the zero point of a node, clear, as they broadcast."""
        inputs, axis = (*node.inputs, "", "")[:3], int(node.attributes.get("axis", 1))
        shape = self._graph.value(node.inputs[0]).shape
        known = self.constants.get(node.inputs[0])
        rank = len(shape or ()) if known is None else known.ndim
        names = []
        for name in inputs[1:]:
            array = self.constants.get(name)
            if name and array is None:
                raise self._operator_of(node).unsupported(
                    f"its scale or zero point {name!r} depends on what is encrypted: "
                    "quantize with static ranges"
                )
            if array is None:
                names.append("")
            elif array.size == 1 and array.ndim == 0:
                names.append(name)
            else:
                broadcast = along(array, rank, axis % max(rank, 1))
                names.append(self._constant(f"{name}.along{axis}.{rank}", broadcast))
        return _Scale(names[0], names[1], axis)

    def _onto_grid(self, node: Node) -> None:
        scale = self._parameters(node, 0)
        empty = np.zeros(0, np.float32)
        example = self._operator_of(node)(
            empty.reshape((0,) * 2), np.float32(1), self._zero_of(node)
        )
        ends, (result,) = _ends_of(example), node.outputs
        self._append_grid(node.inputs[0], scale, ends, result, node.name)
        self._scales[result] = scale

    def _zero_of(self, node: Node) -> np.ndarray | None:
        """Return a zero point of the type of that of a node, None if there is none."""
        if len(node.inputs) < 3 or not node.inputs[2]:
            return None
        return np.zeros((), self.constants[node.inputs[2]].dtype)

    def _append_grid(
        self, x: str, scale: _Scale, ends: _Ends, result: str, label: str
    ) -> None:
        zero = self.constants[scale.zero] if scale.zero else np.zeros(())
        inputs = (
            x,
            scale.scale,
            self._constant(f"{result}.zero", zero.astype(float)),
            self._constant(f"{result}.low", float(ends.min)),
            self._constant(f"{result}.high", float(ends.max)),
        )
        self.nodes.append(Node("QuantizeDequantize", inputs, (result,), {}, label))

    def _dequantize(self, node: Node) -> None:
        x, (result,) = node.inputs[0], node.outputs
        scale = self._parameters(node, 0)
        array = self.constants.get(x)
        if array is not None:
            numbers = self._numbers(array, scale)
            bits = array.dtype.itemsize * 8
            if bits > _MOST_BITS:
                self._constant(result, numbers.astype(np.float32))
                return
            source = self._constant(f"{result}.numbers", numbers)
            self._append_grid(source, scale, _ends_of(array), result, node.name)
            return
        if x in self._scales and self._same(self._scales[x], scale):
            self.nodes.append(Node("Identity", (x,), (result,), {}, node.name))
            return
        x = self._as_integers(x)
        if scale.zero:
            zero = self.constants[scale.zero].astype(np.float32)
            self._append(
                "Sub", (x, self._constant(f"{result}.zero", zero)), f"{result}.whole"
            )
            x = f"{result}.whole"
        self._append("Mul", (x, scale.scale), result)

    def _numbers(self, array: np.ndarray, scale: _Scale) -> np.ndarray:
        zero = self.constants[scale.zero].astype(float) if scale.zero else 0.0
        factor = self.constants[scale.scale].astype(float)
        numbers: np.ndarray = (array.astype(float) - zero) * factor
        return numbers

    def _same(self, one: _Scale, other: _Scale) -> bool:
        return all(
            np.array_equal(
                self.constants.get(a, np.zeros(())), self.constants.get(b, np.zeros(()))
            )
            for a, b in zip(one[:2], other[:2], strict=True)
        )

    def _commutes(self, node: Node) -> bool:
        """Tell whether an operator does to numbers what it does to their integers."""
        kind, scale = self._kind_of(node), self._scales[node.inputs[0]]
        if any(name in self._scales for name in node.inputs[1:]):
            return False
        if self.constants[scale.scale].ndim:
            return issubclass(kind, Unchanged)
        return issubclass(kind, Layout | Unchanged | MaxPool | Clip)

    def _clip(self, node: Node) -> None:
        """Narrow the ends of a grid: at once, if nobody else reads the tensor."""
        x, scale = node.inputs[0], self._scales[node.inputs[0]]
        ends = [self.constants.get(name) for name in (*node.inputs[1:], "", "")[:2]]
        places = [place for place, made in enumerate(self.nodes) if x in made.outputs]
        first = self.nodes[places[-1]]
        alone = sum(x in other.inputs for other in self._graph) == 1
        if first.op == "QuantizeDequantize" and alone:
            low, high = (self.constants[name].item() for name in first.inputs[3:])
            self.nodes.pop(places[-1])
            x = first.inputs[0]
        else:
            low, high = -np.inf, np.inf
        low = low if ends[0] is None else max(low, float(ends[0]))
        high = high if ends[1] is None else min(high, float(ends[1]))
        if not np.isfinite([low, high]).all():
            raise self._operator_of(node).unsupported("it clips integers on one side only")
        limits = _Ends(float(low), float(high))
        self._append_grid(x, scale, limits, node.outputs[0], node.name)

    def _append(self, op: str, inputs: Sequence[str], result: str) -> None:
        self.nodes.append(Node(op, tuple(inputs), (result,)))

    def _as_integers(self, name: str) -> str:
        """Return the integers of a tensor that holds numbers in their place."""
        if name not in self._scales:
            return name
        if name not in self._integers:
            self._integers[name] = f"{name}.integers"
            self._write_integers(name, self._scales[name], f"{name}.integers")
        return self._integers[name]

    def _write_integers(self, x: str, scale: _Scale, result: str) -> None:
        if not scale.zero:
            self._append("Div", (x, scale.scale), result)
            return
        zero = self.constants[scale.zero].astype(np.float32)
        self._append("Div", (x, scale.scale), f"{result}.whole")
        self._append(
            "Add", (f"{result}.whole", self._constant(f"{result}.zero", zero)), result
        )


def _ends_of(array: np.ndarray) -> _Ends:
    """Return the ends of a type of integers."""
    info = np.iinfo(array.dtype)
    return _Ends(float(info.min), float(info.max))
