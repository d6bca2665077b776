"""The one interpreter: float arrays, clear integers and the compiler's tracers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fhe_estimators.core.graph._graph import Graph, Node


def evaluate(
    graph: Graph,
    inputs: Mapping[str, Any],
    implementation: Callable[[Node], Callable[..., Any]],
    observe: Callable[[Node, str, Any], Any] | None = None,
) -> dict[str, Any]:
    """Execute the nodes of a graph in topological order.

    Parameters
    ----------
    graph : Graph
    inputs : mapping of str to array
        One array for each graph input.
    implementation : callable
        Gives the function of the arrays that a node stands for. It returns one array, or
        a tuple of them for a node with several outputs.
    observe : callable, optional
        Called with each node, the name of its result and the result; what it returns
        takes the result's place.

    Returns
    -------
    results : dict of str to array
        Every input, constant and result by name.
    """
    results: dict[str, Any] = {**graph.constants, **inputs}
    for node in graph:
        arguments = [results[name] if name else None for name in node.inputs]
        outputs = as_tuple(implementation(node)(*arguments))
        for name, output in zip(node.outputs, outputs, strict=True):
            results[name] = output if observe is None else observe(node, name, output)
    return results


def as_tuple(results: Any) -> tuple[Any, ...]:
    """Return what a function gave as a tuple, also if it gave one thing."""
    return results if isinstance(results, tuple) else (results,)
