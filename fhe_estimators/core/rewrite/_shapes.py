"""Leave the number of rows open; compute all other sizes once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fhe_estimators.core.graph import Graph, Node, Value, as_tuple, evaluate
from fhe_estimators.core.operators import QuantizedOp, kinds_of, operators_of
from fhe_estimators.core.operators.slicing import Concat
from fhe_estimators.core.rewrite._assignment import as_choice
from fhe_estimators.exceptions import GraphError

Arrays = dict[str, np.ndarray]


def fold_shapes(graph: Graph, *, all_sizes: bool = False) -> Graph:
    """Make a graph independent of the number of rows.

    Exporters write ``x.reshape(len(x), -1)`` as operators that take the shape of ``x``
    apart and put a new one together, or as a shape that holds the number of rows of the
    example that they traced. The graph is computed for two numbers of rows, both other than
    one. What is computed from shapes and is the same for both becomes a constant; a shape
    that differs in one size leaves that size open; axes of size one are those that have it
    for both.

    Parameters
    ----------
    graph : Graph
        The first size of an input is None, or the number of rows that the graph was written
        for.
    all_sizes : bool, default=False
        Whether sizes are computed even if no node asks for them.

    Returns
    -------
    graph : Graph
        The first size of each input is None. Nothing changes if another size of an input is
        not known.

    Raises
    ------
    GraphError
        If the graph was written for a number of rows, and others cannot be computed.
    """
    if any(value.shape is None or None in value.shape[1:] for value in graph.inputs):
        return graph
    written = _n_rows_written(graph)
    kind_of = kinds_of(graph)
    asks = all_sizes or any(_asks(node, kind_of(node)) for node in graph)
    if written is None and not asks:
        return graph
    settled = _Settled(graph, written)
    for node in graph:
        settled.append(node)
    if written is not None:
        _check_rows(graph, settled, written)
    return settled.graph()


def _n_rows_written(graph: Graph) -> int | None:
    """Return the number of rows that a graph was written for, None if it is open."""
    sizes = [value.shape[0] for value in graph.inputs if value.shape]
    counts = {size for size in sizes if size is not None}
    if len(counts) > 1:
        raise GraphError(
            f"The inputs of the model have different first sizes, {sorted(counts)}; "
            f"each must hold the same number of rows. {_CURE}"
        )
    return counts.pop() if counts else None


def _asks(node: Node, kind: type[QuantizedOp]) -> bool:
    """Tell whether what a node does may depend on sizes that are written nowhere."""
    squeezes_all = node.op == "Squeeze" and len(node.inputs) == 1
    return kind.reads_sizes or kind.assigns or squeezes_all


class _Settled:
    """A graph that grows node by node, computed for two numbers of rows.

    Rows hold zeros and ones, of an integer type: they may be indices.
    """

    def __init__(self, graph: Graph, written: int | None) -> None:
        self._graph, self._written = graph, written
        self._operator_of, self._kind_of = operators_of(graph), kinds_of(graph)
        self._nodes: list[Node] = []
        #: What is computed from shapes and constants only, and differs.
        self._shapes: set[str] = set()
        self._constants: Arrays = dict(graph.constants)
        n_few = written or 2
        n_many = max(n_few + 1, 3)
        generator = np.random.default_rng(0)
        self.many: Arrays = dict(graph.constants)
        for value in graph.inputs:
            assert value.shape is not None
            sizes = [int(size or 0) for size in value.shape[1:]]
            self.many[value.name] = generator.integers(0, 2, (n_many, *sizes))
        self.few = {
            **self.many,
            **{value.name: self.many[value.name][:n_few] for value in graph.inputs},
        }

    def append(self, node: Node) -> None:
        """Append a node, or its results as constants if the number of rows is no matter."""
        read = {name for name in node.inputs if name}
        known = self._shapes | self._constants.keys()
        kind = self._kind_of(node)
        clear = kind.reads_sizes or (not kind.trained and read <= known)
        if not clear and kind.assigns and node.inputs[1] in known:
            written = self._written and node.inputs[1] in self._constants
            worlds = (self.few,) if written else (self.few, self.many)
            choice = as_choice(node, self._operator_of(node), worlds)
            if choice is not None:
                self._keep(choice.constants)
                for part in choice.nodes:
                    self.append(part)
                return
        if not clear or (node.op == "Reshape" and node.inputs[0] in self._shapes):
            node = self._settled(node)
        for arrays in (self.few, self.many):
            arrays.update(zip(node.outputs, self._results(node, arrays), strict=True))
        if clear and all(
            np.array_equal(self.few[name], self.many[name]) for name in node.outputs
        ):
            self._constants.update((name, self.few[name]) for name in node.outputs)
            return
        if clear:
            self._shapes.update(node.outputs)
        self._nodes.append(node)

    def graph(self) -> Graph:
        """Return the graph, with all sizes that are known."""
        values = dict(self._graph.values)
        for node in self._nodes:
            values.update((name, self._value(name)) for name in node.outputs)
        return replace(
            self._graph,
            nodes=tuple(self._nodes),
            inputs=tuple(self._value(value.name) for value in self._graph.inputs),
            outputs=tuple(self._value(value.name) for value in self._graph.outputs),
            constants=self._constants,
            values=values,
        )

    def _value(self, name: str) -> Value:
        few, many = self.few[name].shape, self.many[name].shape
        if len(few) != len(many):
            return Value(name)
        sizes = zip(few, many, strict=True)
        return Value(name, tuple(a if a == b else None for a, b in sizes))

    def _results(self, node: Node, arrays: Arrays) -> tuple[Any, ...]:
        arguments = [arrays[name] if name else None for name in node.inputs]
        try:
            with np.errstate(all="ignore"):
                return tuple(map(np.asarray, as_tuple(self._operator_of(node)(*arguments))))
        except (IndexError, TypeError, ValueError) as error:
            shapes = [np.shape(array) for array in arguments if array is not None]
            reason = f"Node {node} does not take tensors of shapes {shapes}: {error}."
            raise _refused(self._written, reason) from error

    def _settled(self, node: Node) -> Node:
        """Return a node that does the same for any number of rows."""
        if node.op == "Squeeze" and len(node.inputs) == 1:
            sizes = enumerate(self.many[node.inputs[0]].shape)
            return self._given(node, [axis for axis, size in sizes if size == 1])
        if node.op == "Reshape":
            return self._reshape(node)
        if node.op == "Expand":
            return self._expand(node)
        if node.op == "Slice":
            return self._slice(node)
        kind = self._kind_of(node)
        if not kind.aligned:
            return node
        rank = max(self.few[name].ndim for name in node.inputs)
        if issubclass(kind, Concat) and not node.attributes["axis"] % rank:
            return node
        inputs = tuple(self._row(name, rank) for name in node.inputs)
        return node if inputs == node.inputs else replace(node, inputs=inputs)

    def _given(self, node: Node, numbers: list[int]) -> Node:
        """Return the node with the constant `numbers` as its second input."""
        name = f"{node.outputs[0]}.shape"
        self._keep({name: np.array(numbers, np.int64)})
        attributes = {k: v for k, v in node.attributes.items() if k != "allowzero"}
        return replace(node, inputs=(node.inputs[0], name), attributes=attributes)

    def _reshape(self, node: Node) -> Node:
        settled = self._reshape_once(node)
        if settled is node:
            return node
        # What shape elements had before does not matter; rows may have been mixed there.
        source = settled.inputs[0]
        made = {other.outputs[0]: other for other in self._nodes}
        while source in made and made[source].op == "Reshape":
            source = made[source].inputs[0]
        return replace(settled, inputs=(source, settled.inputs[1]))

    def _reshape_once(self, node: Node) -> Node:
        x, shape = node.inputs
        if shape in self._shapes:
            few, many = (self._results(node, a)[0].shape for a in (self.few, self.many))
            places = _places_of_rows(few, many)
            return node if len(places) > 1 else self._given(node, _opened(few, places))
        axes = self.row_axes(x)
        sizes = self._constants.get(shape)
        if self._written is None or sizes is None or len(axes) != 1:
            return node
        # Rows come first or last; a size there that is a number counts traced rows.
        (axis,), last = axes, self.few[x].ndim - 1
        if axis not in (0, last) or not len(sizes):
            return node
        place = 0 if axis == 0 else len(sizes) - 1
        if sizes[place] <= 0 or sizes[place] % self._written:
            return node
        return self._given(node, _opened(self._results(node, self.few)[0].shape, [place]))

    def _expand(self, node: Node) -> Node:
        x, shape = node.inputs
        few, many = self.few[x].shape, self.many[x].shape
        if few == many or (shape not in self._shapes and self._written is None):
            return node
        wanted = self.few[shape].tolist()
        there = [1] * (len(wanted) - len(few)) + list(few)
        pairs = zip(there[len(there) - len(wanted) :], wanted, strict=True)
        # An axis that has its size already is not repeated.
        return self._given(node, [1 if size == want else want for size, want in pairs])

    def _slice(self, node: Node) -> Node:
        """Return an Identity where all rows that there are, or were written, are kept."""
        x, *bounds = node.inputs
        axes = self.row_axes(x)
        if not axes or not (self._written or self._shapes.intersection(bounds)):
            return node
        worlds = (self.few,) if self._written else (self.few, self.many)
        kept = all(np.array_equal(self._results(node, w)[0], w[x]) for w in worlds)
        return Node("Identity", (x,), node.outputs, {}, node.name) if kept else node

    def row_axes(self, name: str) -> list[int]:
        """Return the axes of a tensor along which rows lie."""
        return _places_of_rows(self.few[name].shape, self.many[name].shape)

    def _row(self, name: str, rank: int) -> str:
        """Return the name of the one row that a clear tensor repeats, else its own name."""
        few, many = self.few[name], self.many[name]
        if few.ndim < rank or not rank:
            return name
        written = name in self._constants and 1 < len(few) == self._written
        if not written and name not in self._shapes:
            return name
        if (few != few[:1]).any() or (many != few[:1]).any():
            return name
        row = f"{name}.row"
        self._keep({row: few[:1]})
        return row

    def _keep(self, constants: Arrays) -> None:
        for arrays in (self._constants, self.few, self.many):
            arrays.update(constants)


def _places_of_rows(few: tuple[int, ...], many: tuple[int, ...]) -> list[int]:
    """Return the axes whose sizes differ in two shapes."""
    if len(few) != len(many):
        return []
    return [axis for axis, size in enumerate(few) if size != many[axis]]


def _opened(shape: tuple[int, ...], axes: list[int]) -> list[int]:
    return [-1 if axis in axes else size for axis, size in enumerate(shape)]


_CURE = (
    "Export it with the number of rows open: torch.onnx.export(..., "
    "dynamic_axes={'input': {0: 'n_samples'}}), with example rows of two or more, and "
    "write x.flatten(1) or x.reshape(x.shape[0], -1) where rows are flattened."
)


def _refused(written: int | None, reason: str) -> GraphError:
    if written is None:
        return GraphError(reason)
    return GraphError(
        f"The model was exported with {written} row{'s' * (written > 1)}, and it cannot "
        f"be computed for other numbers of rows: {reason} {_CURE}"
    )


def _check_rows(graph: Graph, settled: _Settled, written: int) -> None:
    """Raise if rows have other results than in the graph as it was written."""
    inputs = [value.name for value in graph.inputs]
    operator_of = operators_of(graph)
    n_rows = len(settled.many[inputs[0]])
    for start in range(n_rows - written + 1):
        window = range(start, start + written)
        rows = {name: settled.many[name][start : start + written] for name in inputs}
        with np.errstate(all="ignore"):
            meant = evaluate(graph, rows, operator_of)
        for value in graph.outputs:
            found, expected = settled.many[value.name], np.asarray(meant[value.name])
            axes = settled.row_axes(value.name)
            same = found.shape == settled.few[value.name].shape
            if written > 1 and same and found.shape[:1] != (written,):
                # One result for all rows, however many: what the model says.
                continue
            if (
                len(axes) != 1
                or found.shape[axes[0]] != n_rows
                or not _close(found.take(window, axes[0]), expected)
            ):
                raise _refused(
                    written,
                    f"the output {value.name!r} of {n_rows} rows, of shape "
                    f"{found.shape}, is not that of {written} at a time, of shape "
                    f"{expected.shape}.",
                )


def _close(found: np.ndarray, expected: np.ndarray) -> bool:
    if found.size != expected.size:
        return False
    found, expected = (np.ravel(array).astype(float) for array in (found, expected))
    finite = expected[np.isfinite(expected)]
    size = float(np.abs(finite).max(initial=0.0))
    return np.allclose(found, expected, rtol=1e-4, atol=1e-5 * size, equal_nan=True)
