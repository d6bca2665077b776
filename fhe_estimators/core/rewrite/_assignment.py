"""Assignment to parts of a tensor, as a choice among its elements and the new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fhe_estimators.core.graph import Node
from fhe_estimators.core.operators import QuantizedOp


class Choice(NamedTuple):
    """Nodes that do what an assignment does, and the constants that they read."""

    nodes: tuple[Node, ...]
    constants: dict[str, np.ndarray]


def as_choice(
    node: Node, operator: QuantizedOp, worlds: Sequence[Mapping[str, np.ndarray]]
) -> Choice | None:
    """Return an assignment as elements chosen from joined tensors, if it is one.

    Exporters write ``x[:, 1:3] = y`` as indices of all elements that are assigned, rows
    included. If they are known, the assignment is done with the *numbers* of elements in
    place of elements: that tells where each element of the result comes from. If that is
    the same row, and the same place there for each row, the result is::

        Reshape(Gather(Concat(Reshape(x), Reshape(y), axis=1), places, axis=1))

    Parameters
    ----------
    node : Node
        Whose indices are known.
    operator : QuantizedOp
        What it applies.
    worlds : sequence of mapping of str to ndarray
        Its operands, for different numbers of rows.

    Returns
    -------
    choice : Choice or None
        None if there is a reduction, or rows are mixed or differ.
    """
    data, indices, updates = node.inputs
    if node.attributes.get("reduction", "none") != "none":
        return None
    places = None
    for arrays in worlds:
        found = _places(operator, *(arrays[name] for name in (data, indices, updates)))
        if found is None or (places is not None and not np.array_equal(found, places)):
            return None
        places = found
    assert places is not None
    (result,) = node.outputs
    shape = worlds[0][data].shape
    flat, both, rows = (f"{result}.{name}" for name in ("flat", "joined", "rows"))
    news, chosen = f"{result}.updates", f"{result}.chosen"
    constants = {
        flat: np.array([0, -1], np.int64),
        rows: np.array([0, *shape[1:]], np.int64),
        f"{result}.places": places,
    }
    nodes = (
        Node("Reshape", (data, flat), (f"{result}.data",)),
        Node("Reshape", (updates, flat), (news,)),
        Node("Concat", (f"{result}.data", news), (both,), {"axis": 1}),
        Node("Gather", (both, f"{result}.places"), (chosen,), {"axis": 1}),
        Node("Reshape", (chosen, rows), (result,)),
    )
    return Choice(nodes, constants)


def _places(
    operator: QuantizedOp, data: np.ndarray, indices: np.ndarray, updates: np.ndarray
) -> np.ndarray | None:
    """Return where elements of a row come from, in a row of data and then of updates.

    Returns
    -------
    places : ndarray of shape (n_elements of a row,), int64, or None
        None if rows are mixed or differ.
    """
    n_rows = len(data) if data.ndim else 0
    if not n_rows or not updates.ndim or len(updates) != n_rows or not updates.size:
        return None
    numbers = np.arange(data.size + updates.size)
    olds, news = np.split(numbers, [data.size])
    source = operator(olds.reshape(data.shape), indices, news.reshape(updates.shape))
    source = np.asarray(source).reshape(n_rows, -1)
    n_old, n_new = data.size // n_rows, updates.size // n_rows
    new = source >= data.size
    row = np.where(new, (source - data.size) // n_new, source // n_old)
    places = np.where(new, n_old + (source - data.size) % n_new, source % n_old)
    if (row != np.arange(n_rows)[:, None]).any() or (places != places[0]).any():
        return None
    return np.asarray(places[0], np.int64)
