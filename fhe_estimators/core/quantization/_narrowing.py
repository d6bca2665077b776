"""Sums that are as wide as the tables that read them, not as all that they can hold.

Encrypted integers of `p` bits are known modulo ``2**(p + 1)``. So are sums of them,
whatever their range is, and a table that wraps tells what it gives for each residue. So
integers need no more bits than such a table reads, unless something else reads them for
what they are: another table, or the client.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from fhe_estimators.core.graph import Graph, Value, bits_of_range, wraps
from fhe_estimators.core.operators import kinds_of


def narrow(graph: Graph) -> Graph:
    """Return an integer graph whose tensors have no more bits than their readers need.

    The engine encodes all that sums connect with the bits of the widest of them, and moves
    what a table reads to the upper ones of these. So a tensor needs the bits of the widest
    table that reads it, or a sum of it, and of the outputs that it is part of.

    Parameters
    ----------
    graph : Graph
        Its ranges hold for any input.
    """
    kind_of = kinds_of(graph)
    values = {value.name: value for value in graph.inputs} | dict(graph.values)
    inputs = {value.name for value in graph.inputs}
    # What is read for what it is keeps its range.
    exact = set(inputs)
    likely: dict[str, tuple[int, int]] = {}
    bits: defaultdict[str, int] = defaultdict(int)
    for value in graph.outputs:
        # A client that decrypts reads one bit more, the one that tables must not read.
        likely[value.name] = 0, values[value.name].bounds[1] // 2
        bits[value.name] = bits_of_range(*likely[value.name])
    for node in reversed(list(graph)):
        encrypted = [name for name in node.inputs if name in values]
        (result, *_) = node.outputs
        if wraps(node):
            table = graph.constants[node.inputs[1]]
            if result not in exact:
                likely[result] = int(table.min()), int(table.max())
            read = kind_of(node).table_bits(node, graph) + node.attributes.get("lsbs", 0)
        elif kind_of(node).bootstraps:
            exact.update((node.inputs[0], result))
            read = values[node.inputs[0]].bits or 0
        else:
            read = max(bits[name] for name in node.outputs)
        for name in encrypted:
            bits[name] = max(bits[name], read)
    for name in exact:
        likely.pop(name, None)

    def as_wide(value: Value) -> Value:
        if value.name in exact:
            return value
        if value.name in likely:
            low, high = likely[value.name]
            return replace(value, low=low, high=high, wraps=True)
        most = bits[value.name]
        if not most or (value.bits or 0) <= most:
            return value
        half = 1 << (most - 1)
        return replace(value, low=-half, high=half - 1, wraps=True)

    return replace(
        graph,
        outputs=tuple(map(as_wide, graph.outputs)),
        values={name: as_wide(value) for name, value in graph.values.items()},
    )
