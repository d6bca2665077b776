"""What the engine can do at most, and what one table costs: figures of the optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.report import Row
from benchmarks.tools import Setup, progress
from fhe_estimators import CompilationError
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine import ConcreteEngine
from fhe_estimators.core.engine._prices import MEASURED
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.quantized_module.noise import noise_bits

#: Tables that are tried until the engine refuses one, and bits that a number grows by.
_WIDTHS, _GROWTH = range(8, 20), range(20, 32)
#: Tables that are added up, and the failure probability at which that is priced.
_N_SUMMED, _P_ERROR = 16, 2**-40


class Unlimited(ConcreteEngine):
    """The engine asked for tables of any width."""

    maximum_table_bits = 64


def table(bits: int) -> Graph:
    """Return a graph that looks up one number of so many bits."""
    most = (1 << bits) - 1
    return _graph("TableLookup", np.arange(most + 1), most, most, first=0)


def grown(bits: int) -> Graph:
    """Return a graph that multiplies a bit by ``2**bits``."""
    return _graph("MatMul", np.array([[1 << bits]]), 1, 1 << bits)


def _graph(op: str, clear: np.ndarray, high: int, result: int, **attributes: int) -> Graph:
    x, y = Value("x", (None, 1), 0, high), Value("y", (None, 1), 0, result)
    node = Node(op, ("x", "clear"), ("y",), attributes)
    return Graph((node,), (x,), (y,), {"clear": clear}, {"y": y})


def prices(setup: Setup) -> list[Row]:
    """Operations and bytes of keys of one table, beside those that the engine declares."""
    rows: list[Row] = []
    for exponent in MEASURED:
        declared = ConcreteEngine().prices(2.0**-exponent)
        progress(f"2**-{exponent}")
        for bits in sorted(declared.table_operations):
            cost = Circuit(table(bits), p_error=2.0**-exponent).cost
            rows.append(
                {
                    "p_error": f"2**-{exponent}",
                    "bits": bits,
                    "operations": f"{cost.complexity:.3g}",
                    "declared": f"{declared.operations(bits):.3g}",
                    "bytes of keys": f"{cost.key_bytes:.3g}",
                    "declared bytes": f"{declared.key_bytes(bits):.3g}",
                }
            )
    return rows


def exactness(setup: Setup) -> list[Row]:
    """What tables cost whose results are added up with large weights, beside others."""
    rows: list[Row] = []
    engine = ConcreteEngine()
    declared = engine.prices(_P_ERROR)
    for bits in range(3, 8):
        progress(f"{bits} bits")
        first = None
        for factor in (1 << power for power in range(8)):
            graph = summed(bits, factor)
            try:
                cost = Circuit(graph, p_error=_P_ERROR).complexity / _N_SUMMED
            except CompilationError:
                break
            (exact_to,) = noise_bits(graph).values()
            price = declared.operations(bits, exact_to)
            first = first or cost / price
            rows.append(
                {
                    "bits": bits,
                    "exact to": exact_to,
                    "operations": f"{cost:.3g}",
                    "declared": f"{price:.3g}",
                    "ratio": cost / price / first,
                }
            )
    return rows


def summed(bits: int, factor: int) -> Graph:
    """Return tables whose results are added up, half of them with a minus sign."""
    most = (1 << bits) - 1
    weights = np.full((_N_SUMMED, 1), factor)
    weights[::2] *= -1
    reach = _N_SUMMED // 2 * factor * 63
    table = np.random.default_rng(0).permutation(most + 1) % 64
    shape = (None, _N_SUMMED)
    y = Value("y", (None, 1), -reach, reach)
    nodes = (
        Node("TableLookup", ("x", "table"), ("t",), {"first": 0}),
        Node("MatMul", ("t", "weights"), ("y",)),
    )
    constants = {"table": table, "weights": weights}
    values = {"t": Value("t", shape, 0, 63), "y": y}
    return Graph(nodes, (Value("x", shape, 0, most),), (y,), constants, values)


def limits(setup: Setup) -> list[Row]:
    """Bits of the widest table, and of the torus, that have parameters."""
    rows: list[Row] = []
    for exponent in MEASURED:
        progress(f"2**-{exponent}")
        served = partial(_is_served, 2.0**-exponent)
        # The number and its sign, the growth of its noise, and the margin.
        margin = math.log2(math.sqrt(2 * exponent * math.log(2))) + 1
        torus = [2 * bits + 2 + margin for bits in _GROWTH if served(grown, bits)]
        rows.append(
            {
                "p_error": f"2**-{exponent}",
                "widest table": max(bits for bits in _WIDTHS if served(table, bits)),
                "declared": ConcreteEngine.maximum_table_bits,
                "bits of the torus": max(torus),
                "declared bits": ConcreteEngine.torus_bits,
            }
        )
    return rows


def _is_served(p_error: float, graph: Callable[[int], Graph], bits: int) -> bool:
    """Tell whether there are cryptographic parameters."""
    try:
        Circuit(graph(bits), p_error=p_error, engine=Unlimited())
    except CompilationError:
        return False
    return True
