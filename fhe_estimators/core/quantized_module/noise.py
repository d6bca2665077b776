"""How exact the results of tables have to be encrypted, which is what they cost."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from fhe_estimators.core.graph import Graph
from fhe_estimators.core.operators import kinds_of


def noise_bits(graph: Graph) -> dict[str, float]:
    """Return how many bits lie between the noise of each table's results and overflow.

    Sums encode integers of ``G`` bits, the widest that they connect. Their noise is that of
    the results of tables, times the norm ``|w|`` of the weights on the way, and must not
    reach the lowest bit. So results of a table have to be exact to ``G + log2 |w|`` bits of
    the torus, at the worst of all tables and outputs that sums of them go to [1]_.

    Parameters
    ----------
    graph : Graph
        Of integers, with their ranges.

    Returns
    -------
    bits : dict of str to float
        By the name of the results.

    References
    ----------
    .. [1] S. Bergerat et al., "Parameter Optimization and Larger Precision for (T)FHE",
       Journal of Cryptology 36, 2023.
    """
    kind_of = kinds_of(graph)
    names = [value.name for value in graph.inputs] + list(graph.values)
    connected = DisjointSet(names)
    #: What the noise of each source has been multiplied by, in each tensor.
    gains: dict[str, dict[str, float]] = {value.name: {} for value in graph.inputs}
    for node in graph:
        encrypted = [name for name in node.inputs if name in gains]
        if kind_of(node).bootstraps:
            gains.update((name, {name: 1.0}) for name in node.outputs)
            continue
        factor = kind_of(node).noise_factor(node, graph)
        squares: defaultdict[str, float] = defaultdict(float)
        for name in encrypted:
            for source, gain in gains[name].items():
                squares[source] += (factor * gain) ** 2
            for result in node.outputs:
                connected.merge(name, result)
        found = {source: square**0.5 for source, square in squares.items()}
        gains.update((name, found) for name in node.outputs)

    widths: defaultdict[str, int] = defaultdict(int)
    for name in names:
        group = connected[name]
        widths[group] = max(widths[group], graph.value(name).bits or 0)
    bits: dict[str, float] = {}
    for name in names:
        for source, gain in gains[name].items():
            exact_to = widths[connected[name]] + float(np.log2(max(gain, 1.0)))
            bits[source] = max(bits.get(source, 0.0), exact_to)
    return bits
