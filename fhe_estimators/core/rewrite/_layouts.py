"""Rows that lie along another axis for a while: moved within rows at once."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fhe_estimators.core.graph import Graph, Node, as_tuple
from fhe_estimators.core.operators import operators_of
from fhe_estimators.core.operators.layout import Layout
from fhe_estimators.core.operators.slicing import Split

#: Two numbers of rows: what holds for both holds for any.
_WORLDS = (2, 3)


class _Moved(NamedTuple):
    """Where the elements of a tensor come from: from one whose first axis has rows."""

    source: str
    #: Numbers of elements of the source, for each number of rows.
    numbers: tuple[np.ndarray, ...]
    #: Elements of a row of the source.
    size: int


def rows_first(graph: Graph) -> Graph:
    """Replace layout operators that move rows to another axis, and back.

    Recurrent layers are exported with steps first and rows second. What is put back behind
    several layout operators is taken from the tensor in front of them at once::

        Reshape(Gather(Reshape(x), places, axis=1))

    Parameters
    ----------
    graph : Graph
        With known sizes, see `fold_shapes`.
    """
    operator_of = operators_of(graph)
    moved: dict[str, _Moved] = {}
    nodes: list[Node] = []
    constants = dict(graph.constants)
    for node in graph:
        nodes.append(node)
        operator = operator_of(node)
        x, *parameters = (*node.inputs, "")[: max(1, len(node.inputs))]
        known = all(not name or name in constants for name in parameters)
        if not isinstance(operator, Layout | Split) or not known:
            continue
        begun = moved.get(x) or _begun(graph, x)
        if begun is None:
            continue
        clear = [constants.get(name) for name in parameters]
        try:
            worlds = [as_tuple(operator(each, *clear)) for each in begun.numbers]
        except ValueError:
            # There is no such shape for so many rows.
            continue
        for result, *arrays in zip(node.outputs, *worlds, strict=True):
            numbers = tuple(map(np.asarray, arrays))
            places = _places(begun, numbers)
            if places is None:
                moved[result] = begun._replace(numbers=numbers)
            elif x in moved and len(node.outputs) == 1:
                nodes[-1:] = _taken(begun.source, result, node.name)
                constants[f"{result}.flat"] = np.array([0, -1], np.int64)
                shape = numbers[0].shape[1:]
                constants[f"{result}.rows"] = np.array([0, *shape], np.int64)
                constants[f"{result}.places"] = places
    return replace(graph, nodes=tuple(nodes), constants=constants) if moved else graph


def _taken(source: str, result: str, label: str) -> list[Node]:
    """Return nodes that take elements of each row, by names of constants."""
    flat, taken = f"{result}.source", f"{result}.taken"
    return [
        Node("Reshape", (source, f"{result}.flat"), (flat,)),
        Node("Gather", (flat, f"{result}.places"), (taken,), {"axis": 1}),
        Node("Reshape", (taken, f"{result}.rows"), (result,), {}, label),
    ]


def _begun(graph: Graph, name: str) -> _Moved | None:
    """Return a tensor whose first axis has rows as one of which nothing was moved yet."""
    shape = graph.value(name).shape
    if not shape or shape[0] is not None or None in shape[1:]:
        return None
    sizes = [int(size or 0) for size in shape[1:]]
    size = int(np.prod(sizes))
    numbers = (np.arange(n * size).reshape(n, *sizes) for n in _WORLDS)
    return _Moved(name, tuple(numbers), size)


def _places(moved: _Moved, numbers: tuple[np.ndarray, ...]) -> np.ndarray | None:
    """Return where elements come from in a row; None if rows are not first, or mixed."""
    found = None
    for n_rows, array in zip(_WORLDS, numbers, strict=True):
        if array.shape[:1] != (n_rows,) or not array.size:
            return None
        row, place = np.divmod(array.reshape(n_rows, -1), moved.size)
        if (row != np.arange(n_rows)[:, None]).any() or (place != place[0]).any():
            return None
        if found is not None and not np.array_equal(found, place[0]):
            return None
        found = place[0]
    return found
