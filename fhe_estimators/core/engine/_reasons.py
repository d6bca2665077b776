"""Why the engine does not compile a graph, in words that say what to do about it."""

from __future__ import annotations

import json
import re
from typing import Any

from fhe_estimators.core.engine._prices import TFHE
from fhe_estimators.core.graph import Graph, wraps


def reason_of(message: str, graph: Graph, p_error: float) -> str | None:
    """Return why a graph cannot be compiled, or None if it is not the graph's fault.

    Parameters
    ----------
    message : str
        What the engine says.
    graph : Graph
    p_error : float
    """
    if "NoParametersFound" in message:
        widest = max(value.bits or 0 for value in graph.values.values())
        return (
            f"No cryptographic parameters for integers of {widest} bits with "
            f"p_error={p_error:g}. Use a smaller n_bits or a larger p_error."
        )
    found = re.search(r"this (\d+)-bit value is used as an input to a table", message)
    if found is not None:
        return (
            f"A table would read {found[1]} bits, the limit is {TFHE.maximum_table_bits}: "
            "what it reads has the width of the widest sum that it is part of. Use a "
            "smaller n_bits, fewer inputs per neuron, or another rounding."
        )
    return None


def misread_tables(graph: Graph, compiled: Any) -> str | None:
    """Return why the engine's tables would give other results than the graph's, or None.

    It reads wide tables bit by bit where that is cheaper, with circuit bootstraps, which
    take packing keys: what is too wide for such a table does not wrap around.
    """
    if not any(map(wraps, graph)):
        return None
    keys = json.loads(compiled.client.specs.serialize())["keyset"]
    if not keys.get("packingKeyswitchKeys"):
        return None
    return (
        "The cheapest parameters for this graph read tables bit by bit, and such tables do "
        "not wrap around. Round sums to fewer bits, use a smaller n_bits, or "
        "accumulator_range='worst_case'."
    )
