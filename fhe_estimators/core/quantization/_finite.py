"""Numbers without a range: infinity and nan on calibration rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from fhe_estimators.core.graph import Graph, Node
from fhe_estimators.core.operators import kinds_of
from fhe_estimators.exceptions import GraphError

#: Where a tensor stopped to be finite: what gave it, and the row.
_Origin = tuple[Node, int]


def check_finite_rows(
    graph: Graph,
    tensors: Mapping[str, np.ndarray],
    held: Collection[str] | None = None,
    *,
    step: int = 1,
) -> None:
    """Raise if integers would have to stand for infinity or nan.

    A tensor may hold them on the way to another function, element by element, of the same
    integers: that may be finite again, as ``1 / (1 + exp(x))`` is.

    Parameters
    ----------
    graph : Graph
    tensors : mapping of str to ndarray
        What calibration saw: every `step`-th row.
    held : collection of str, optional
        The tensors that integers stand for; as the encrypted graph needs them by default.
    step : int, default=1

    Raises
    ------
    GraphError
        With the node where the numbers stop to be finite, and the first such row.
    """
    origins: dict[str, _Origin] = {}
    for node in graph:
        row = _first_row(tensors, node)
        if row is not None:
            inherited = (origins[name] for name in node.inputs if name in origins)
            origins.update(dict.fromkeys(node.outputs, next(inherited, (node, row))))
    if not origins:
        return
    for name in _held(graph) if held is None else held:
        if name in origins:
            node, row = origins[name]
            raise _error(node, row, tensors, step)


def _first_row(tensors: Mapping[str, np.ndarray], node: Node) -> int | None:
    """Return the first row where a result of a node is not finite."""
    rows = []
    for name in node.outputs:
        array = np.asarray(tensors[name])
        if array.dtype.kind != "f" or not array.ndim or np.isfinite(array).all():
            continue
        bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        rows += np.flatnonzero(bad)[:1].tolist()
    return min(rows, default=None)


def _held(graph: Graph) -> Iterator[str]:
    """Yield the tensors that integers stand for: not those inside of one table."""
    yield from (value.name for value in graph.outputs)
    # What each tensor is a function of.
    source: dict[str, str] = {}
    kind_of = kinds_of(graph)
    for node in graph:
        read = [name for name in node.inputs if name and name not in graph.constants]
        sources = {source.get(name, name) for name in read}
        kind = kind_of(node)
        if len(sources) == 1 and kind.pointwise and not kind.trained:
            source.update(dict.fromkeys(node.outputs, *sources))
        else:
            yield from read


def _error(
    node: Node, row: int, tensors: Mapping[str, np.ndarray], step: int
) -> GraphError:
    def of_row(name: str) -> np.ndarray:
        return np.asarray(tensors[name][row], float).ravel()

    results = np.concatenate([of_row(name) for name in node.outputs])
    shown = results[~np.isfinite(results)][0]
    read = [
        f"{name!r} lies from {array.min():.6g} to {array.max():.6g}"
        for name in node.inputs
        if name and np.ndim(tensors[name]) and len(tensors[name]) > row
        if (array := of_row(name)).size
    ]
    return GraphError(
        f"Node {node} gives {shown} for row {row * step} of the calibration data"
        f"{', where ' if read else ''}{' and '.join(read)}: there is no integer for it. "
        "Leave such rows out, scale the features, or write the function so that it is "
        "finite there, for example with a Clip (torch.clamp) in front; masks that are "
        "inputs are added, 0 or -100."
    )
