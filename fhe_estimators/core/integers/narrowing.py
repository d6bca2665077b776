"""Sums that are as wide as the tables that read them, not as all that they can hold.

Encrypted integers of `p` bits are known modulo ``2**(p + 1)``. So are sums of them,
whatever their range is, and a table that wraps tells what it gives for each residue. So
integers need no more bits than such a table reads, unless something else reads them for
what they are: another table, or the client.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from fhe_estimators.core.graph import Graph, Node, Value, bits_of_range, wraps


def narrow(graph: Graph) -> Graph:
    """Return an integer graph whose tensors have no more bits than their readers need.

    What sums connect has one number of bits, as the engine encodes it in one way: the most
    that a table reads of it, or that an output or a result of a table needs. A table that
    wraps at fewer bits gets the entries of as many.

    Parameters
    ----------
    graph : Graph
        Its ranges hold for any input.
    """
    values = {value.name: value for value in graph.inputs} | dict(graph.values)
    exact = {value.name for value in graph.inputs}
    decrypted = {value.name for value in graph.outputs}
    likely: dict[str, tuple[int, int]] = {}
    for node in graph:
        if wraps(node):
            table = graph.constants[node.inputs[1]]
            likely[node.outputs[0]] = int(table.min()), int(table.max())
        elif node.op == "TableLookup":
            exact.update((node.inputs[0], node.outputs[0]))
    likely |= {name: _ends(values[name]) for name in exact}
    # A client that decrypts reads one bit more, the one that tables must not read.
    likely |= {name: (0, _ends(values[name])[1] // 2) for name in decrypted - exact}

    group_of = _groups(graph)
    bits: defaultdict[str, int] = defaultdict(int)
    for name, ends in likely.items():
        bits[group_of[name]] = max(bits[group_of[name]], bits_of_range(*ends))
    for node in graph:
        if wraps(node):
            group = group_of[node.inputs[0]]
            bits[group] = max(bits[group], _bits_read(graph, node))

    constants = dict(graph.constants)
    for node in graph:
        if wraps(node):
            missing = bits[group_of[node.inputs[0]]] - _bits_read(graph, node)
            table = graph.constants[node.inputs[1]]
            constants[node.inputs[1]] = np.concatenate([table, -table] * 2**missing)[
                : len(table) << missing
            ]

    def as_wide(value: Value) -> Value:
        if value.name in exact:
            return value
        if value.name in likely:
            low, high = likely[value.name]
            return replace(value, low=low, high=high, wraps=True)
        most = bits.get(group_of[value.name])
        if most is None or (value.bits or 0) <= most:
            return value
        half = 1 << (most - 1)
        return replace(value, low=-half, high=half - 1, wraps=True)

    return replace(
        graph,
        outputs=tuple(map(as_wide, graph.outputs)),
        constants=constants,
        values={name: as_wide(value) for name, value in graph.values.items()},
    )


def _ends(value: Value) -> tuple[int, int]:
    assert value.low is not None
    assert value.high is not None
    return value.low, value.high


def _bits_read(graph: Graph, node: Node) -> int:
    """Return the bits of the integers at which the entries of a table begin to repeat."""
    size = len(graph.constants[node.inputs[1]])
    return (size - 1).bit_length() + int(node.attributes.get("lsbs", 0))


def _groups(graph: Graph) -> dict[str, str]:
    """Return a name for each tensor, the same for those that sums connect."""
    names = [*(value.name for value in graph.inputs), *graph.values]
    connected = DisjointSet(names)
    for node in graph:
        if node.op != "TableLookup":
            encrypted = [n for n in (*node.inputs, *node.outputs) if n in connected]
            for name in encrypted[1:]:
                connected.merge(encrypted[0], name)
    return {name: connected[name] for name in names}
