"""Sums that are as wide as the tables that read them, not as all that they can hold.

Encrypted integers of `p` bits are known modulo ``2**(p + 1)``. So are sums of them,
whatever their range is, and a table that wraps tells what it gives for each residue. So
integers need no more bits than such a table reads, unless something else reads them for
what they are: another table, or the client.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from fhe_estimators.core.graph import Graph, Node, Value, bits_of_range, wraps
from fhe_estimators.core.operators import QuantizedOp, kinds_of


def narrow(graph: Graph) -> Graph:
    """Return an integer graph whose tensors have no more bits than their readers need.

    What sums connect has one number of bits, as the engine encodes it in one way: the most
    that a table reads of it, or that an output or a result of a table needs. A table that
    reads fewer gets as many entries as that, see `_longer`.

    Parameters
    ----------
    graph : Graph
        Its ranges hold for any input.
    """
    kind_of = kinds_of(graph)
    wrapping = list(filter(wraps, graph))
    values = {value.name: value for value in graph.inputs} | dict(graph.values)
    exact = {value.name for value in graph.inputs}
    decrypted = {value.name for value in graph.outputs}
    likely: dict[str, tuple[int, int]] = {}
    for node in graph:
        if wraps(node):
            table = graph.constants[node.inputs[1]]
            likely[node.outputs[0]] = int(table.min()), int(table.max())
        elif kind_of(node).bootstraps:
            exact.update((node.inputs[0], node.outputs[0]))
    likely |= {name: values[name].bounds for name in exact}
    # A client that decrypts reads one bit more, the one that tables must not read.
    likely |= {name: (0, values[name].bounds[1] // 2) for name in decrypted - exact}

    group_of = _groups(graph, kind_of)
    bits: defaultdict[str, int] = defaultdict(int)
    for name, ends in likely.items():
        bits[group_of[name]] = max(bits[group_of[name]], bits_of_range(*ends))
    for node in wrapping:
        group = group_of[node.inputs[0]]
        read = kind_of(node).table_bits(node, graph) + node.attributes.get("lsbs", 0)
        bits[group] = max(bits[group], read)

    constants = dict(graph.constants)
    for node in wrapping:
        index_bits = bits[group_of[node.inputs[0]]] - node.attributes.get("lsbs", 0)
        name = node.inputs[1]
        constants[name] = _longer(graph.constants[name], 1 << index_bits)

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


def _longer(table: np.ndarray, size: int) -> np.ndarray:
    """Return a table that wraps with more entries: those beyond its ends are its ends.

    Half of them follow the last one. The others precede the first one, and are found with
    the opposite sign at the other end: ``table[i] = -table[i + size]``.
    """
    missing = size - len(table)
    behind = np.repeat(table[-1:], missing - missing // 2, axis=0)
    before = np.repeat(table[:1], missing // 2, axis=0)
    return np.concatenate([table, behind, -before])


def _groups(graph: Graph, kind_of: Callable[[Node], type[QuantizedOp]]) -> dict[str, str]:
    """Return the group of each tensor, by name: tensors that sums connect share one."""
    names = [*(value.name for value in graph.inputs), *graph.values]
    connected = DisjointSet(names)
    for node in graph:
        if not kind_of(node).bootstraps:
            encrypted = [n for n in (*node.inputs, *node.outputs) if n in connected]
            for name in encrypted[1:]:
                connected.merge(encrypted[0], name)
    return {name: connected[name] for name in names}
