"""What a tensor is computed from."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fhe_estimators.core.graph._graph import Graph, Node


def needed_for(names: Collection[str], nodes: Iterable[Node]) -> list[Node]:
    """Return the nodes that tensors are computed by, and all that these need.

    Parameters
    ----------
    names : collection of str
        The tensors.
    nodes : iterable of Node
        In topological order, a graph for example.

    Returns
    -------
    needed : list of Node
        In the same order.
    """
    wanted = set(names)
    found = []
    for node in reversed(list(nodes)):
        if wanted.intersection(node.outputs):
            wanted.update(node.inputs)
            found.append(node)
    return found[::-1]


def known_without(graph: Graph) -> set[str]:
    """Return names of tensors that depend on no input, and ``""``, an input left out."""
    known = {"", *graph.constants}
    for node in graph:
        if known.issuperset(node.inputs):
            known.update(node.outputs)
    return known
