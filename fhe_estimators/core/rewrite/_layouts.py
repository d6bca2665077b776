"""Rows that lie along another axis for a while: computed with rows first throughout."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fhe_estimators.core.graph import Graph, Node, Value, as_tuple, evaluate
from fhe_estimators.core.operators import QuantizedOp, operators_of
from fhe_estimators.core.operators.layout import Layout
from fhe_estimators.core.operators.linear import Gemm
from fhe_estimators.core.operators.slicing import Split
from fhe_estimators.core.rewrite._row_axes import (
    WORLDS,
    Arrays,
    RowAxis,
    places_in_rows,
    possible_axes,
)


class _Moved(NamedTuple):
    """Where the elements of a tensor come from: from one whose first axis has rows."""

    source: str
    #: Numbers of elements of the source, for each number of rows.
    numbers: Arrays
    #: Elements of a row of the source.
    size: int

    def axis(self) -> RowAxis | None:
        """Return the axis along which rows lie; None if they are mixed."""
        for axis in possible_axes(self.numbers):
            if places_in_rows(axis.first(self.numbers), self.size) is not None:
                return axis
        return None


def rows_first(graph: Graph) -> Graph:
    """Compute with rows first where they lie along another axis, and come back.

    Recurrent layers are exported with steps first and rows second; attention of torch has
    rows and heads along one axis. What layout operators put back is taken from the tensor
    in front of them at once::

        Reshape(Gather(Reshape(x), places, axis=1))

    What is computed in between is computed on the same elements with rows first, where that
    gives the same numbers: it is tried on random ones, for two numbers of rows.

    Parameters
    ----------
    graph : Graph
        With known sizes, see `fold_shapes`.
    """
    walk = _Walk(graph)
    for node in graph:
        walk.append(node)
    return walk.graph()


class _Walk:
    """A graph that grows node by node."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self._operator_of = graph, operators_of(graph)
        self._moved: dict[str, _Moved] = {}
        self._nodes: list[Node] = []
        self._constants = dict(graph.constants)
        self._values = dict(graph.values)

    def graph(self) -> Graph:
        """Return the graph; nodes that nothing needs any more are still there."""
        if not self._moved:
            return self._graph
        return replace(
            self._graph,
            nodes=tuple(self._nodes),
            constants=self._constants,
            values=self._values,
        )

    def append(self, node: Node) -> None:
        """Append a node, or what takes its place."""
        operator = self._operator_of(node)
        is_moved = not self._moved.keys().isdisjoint(node.inputs)
        if isinstance(operator, Layout | Split):
            results = self._laid_out(node, operator)
        else:
            results = self._by_row(node, operator) if is_moved else {}
        back: list[str] = []
        for name, moved in results.items():
            if places_in_rows(moved.numbers, moved.size) is None:
                self._moved[name] = moved
            elif is_moved:
                back.append(name)
        self._nodes.append(node.renamed({name: f"{name}.moved" for name in back}))
        for name in back:
            self._take(results[name], name, node.name)

    def _laid_out(self, node: Node, operator: QuantizedOp) -> Mapping[str, _Moved]:
        """Return where the results of a layout operator come from; nothing if unknown."""
        x, *parameters = (*node.inputs, "")[: max(1, len(node.inputs))]
        begun = self._source(x)
        if begun is None or any(name and self._varies(name) for name in parameters):
            return {}
        clear = [self._constants.get(name) for name in parameters]
        try:
            worlds = [as_tuple(operator(each, *clear)) for each in begun.numbers]
        except ValueError:
            # There is no such shape for so many rows.
            return {}
        return {
            result: begun._replace(numbers=tuple(map(np.asarray, arrays)))
            for result, *arrays in zip(node.outputs, *worlds, strict=True)
        }

    def _by_row(self, node: Node, operator: QuantizedOp) -> Mapping[str, _Moved]:
        """Append what a node does with rows first; return where its results come from.

        Nothing if it cannot be told.
        """
        tensors: dict[str, tuple[_Moved, RowAxis]] = {}
        for name in filter(self._varies, node.inputs):
            moved = self._source(name)
            axis = None if moved is None else moved.axis()
            if moved is None or axis is None:
                return {}
            tensors[name] = moved, axis
        ranks = {moved.numbers[0].ndim for moved, _ in tensors.values()}
        written = _with_rows_first(node, operator, ranks.pop(), self._constants)
        if written is None or ranks:
            return {}
        nodes, constants = written
        axes = _axes_of_results(
            node, nodes, tensors, {**self._constants, **constants}, self._operator_of
        )
        if axes is None:
            return {}
        self._constants.update(constants)
        for name, (moved, axis) in tensors.items():
            if _by_row(name) not in self._values:
                first = moved._replace(numbers=axis.first(moved.numbers))
                self._take(first, _by_row(name))
        self._nodes += nodes
        found = {}
        for name, (axis, arrays) in axes.items():
            by_row = axis.first(arrays)
            row = by_row[0].shape[1:]
            self._values[_by_row(name)] = Value(_by_row(name), (None, *row))
            numbers = [np.arange(array.size).reshape(array.shape) for array in by_row]
            shapes = [array.shape for array in arrays]
            found[name] = _Moved(
                _by_row(name), axis.back(numbers, shapes), int(np.prod(row))
            )
        return found

    def _varies(self, name: str) -> bool:
        """Tell whether a name is that of a tensor, and no constant."""
        return bool(name) and name not in self._constants

    def _source(self, name: str) -> _Moved | None:
        """Return where a tensor comes from: from itself if nothing was moved yet.

        None if its first axis does not have rows, or its sizes are not known.
        """
        if name in self._moved:
            return self._moved[name]
        shape = self._graph.value(name).shape
        if not shape or shape[0] is not None or None in shape[1:]:
            return None
        sizes = [int(size or 0) for size in shape[1:]]
        size = int(np.prod(sizes))
        numbers = [np.arange(n * size).reshape(n, *sizes) for n in WORLDS]
        return _Moved(name, numbers, size)

    def _take(self, moved: _Moved, result: str, label: str = "") -> None:
        """Append nodes that take elements of each row of a source; rows are first."""
        flat, taken = f"{result}.source", f"{result}.taken"
        places = places_in_rows(moved.numbers, moved.size)
        row = moved.numbers[0].shape[1:]
        constants = {"flat": [0, -1], "rows": [0, *row], "places": places}
        for key, integers in constants.items():
            self._constants[f"{result}.{key}"] = np.asarray(integers, np.int64)
        self._values[result] = Value(result, (None, *row))
        self._nodes += [
            Node("Reshape", (moved.source, f"{result}.flat"), (flat,)),
            Node("Gather", (flat, f"{result}.places"), (taken,), {"axis": 1}),
            Node("Reshape", (taken, f"{result}.rows"), (result,), {}, label),
        ]


def _by_row(name: str) -> str:
    """Return the name of the tensor that has rows first and the elements of another."""
    return f"{name}.by_row"


Written = tuple[list[Node], dict[str, np.ndarray]]


def _with_rows_first(
    node: Node, operator: QuantizedOp, rank: int, known: Mapping[str, np.ndarray]
) -> Written | None:
    """Return nodes for tensors with one axis more, in front, and new constants.

    Axes are counted from the last one.
    """
    inputs = [name if not name or name in known else _by_row(name) for name in node.inputs]
    outputs = tuple(map(_by_row, node.outputs))
    if isinstance(operator, Gemm):
        return _gemm(node, inputs[0], outputs[0], known)
    attributes = dict(node.attributes)
    axis = attributes.get("axis")
    if isinstance(axis, int) and axis >= 0:
        attributes["axis"] = axis - rank
    constants: dict[str, np.ndarray] = {}
    parameters = list(inspect.signature(operator.f).parameters)
    for place, name in enumerate(inputs):
        if name in known and parameters[place : place + 1] == ["axes"]:
            inputs[place] = f"{outputs[0]}.axes"
            axes = known[name]
            constants[inputs[place]] = np.where(axes < 0, axes, axes - rank)
    return [Node(node.op, tuple(inputs), outputs, attributes, node.name)], constants


def _gemm(
    node: Node, x: str, result: str, known: Mapping[str, np.ndarray]
) -> Written | None:
    """Return a product of matrices of each row, and a sum."""
    options, parameters = node.attributes, [name for name in node.inputs[1:] if name]
    if options.get("transA") or any(name not in known for name in parameters):
        return None
    weights, *bias = (known[name] for name in parameters)
    product, names = f"{result}.product", (f"{result}.weights", f"{result}.bias")
    weights = weights.T if options.get("transB") else weights
    constants = {names[0]: options.get("alpha", 1.0) * weights}
    if not bias:
        return [Node("MatMul", (x, names[0]), (result,), {}, node.name)], constants
    constants[names[1]] = options.get("beta", 1.0) * bias[0]
    multiplied = Node("MatMul", (x, names[0]), (product,), {}, node.name)
    return [multiplied, Node("Add", (product, names[1]), (result,))], constants


def _axes_of_results(
    node: Node,
    written: Sequence[Node],
    tensors: Mapping[str, tuple[_Moved, RowAxis]],
    constants: Mapping[str, np.ndarray],
    operator_of: Callable[[Node], QuantizedOp],
) -> dict[str, tuple[RowAxis, Arrays]] | None:
    """Return where rows lie in the results of a node, and the results for random numbers.

    None if nodes that are `written` for rows first give other numbers, or none at all.
    """
    generator = np.random.default_rng(0)
    first, moved = {}, {}
    for name, (tensor, axis) in tensors.items():
        shapes = [array.shape for array in tensor.numbers]
        rows = [generator.normal(size=array.shape) for array in axis.first(tensor.numbers)]
        first[_by_row(name)], moved[name] = rows, axis.back(rows, shapes)

    def computed(nodes: Sequence[Node], inputs: Mapping[str, Arrays]) -> list[Any]:
        graph = Graph(tuple(nodes), (), (), constants)
        return [
            evaluate(graph, {name: a[world] for name, a in inputs.items()}, operator_of)
            for world in range(len(WORLDS))
        ]

    try:
        with np.errstate(all="ignore"):
            given, meant = computed(written, first), computed([node], moved)
    except (IndexError, TypeError, ValueError):
        # It does not take tensors with one axis more, or such numbers.
        return None
    found: dict[str, tuple[RowAxis, Arrays]] = {}
    for name in node.outputs:
        arrays = [np.asarray(world[name]) for world in meant]
        by_row = [world[_by_row(name)] for world in given]
        for axis in possible_axes(arrays):
            if all(map(_same, axis.first(arrays), by_row)):
                found[name] = axis, arrays
                break
        else:
            return None
    return found


def _same(found: np.ndarray, meant: np.ndarray) -> bool:
    return found.shape == meant.shape and np.allclose(found, meant, equal_nan=True)
