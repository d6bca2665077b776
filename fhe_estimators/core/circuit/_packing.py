"""Several rows in one ciphertext, for graphs that are additive.

An additive graph ``f`` satisfies ``f(sum_i 2**(P i) x_i) = sum_i 2**(P i) f(x_i)`` in the
integers. If every result lies in ``[-2**(P-1), 2**(P-1))``, the results can be read off
their sum one after the other, lowest first: the summand is the sum modulo ``2**P``, taken
in that interval. A ciphertext is thus shared by several rows, exactly. It must be larger,
but less than proportionally: its size grows with the bits of message *and* noise, and the
noise is shared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fhe_estimators.core.circuit._bounds import norm_bits
from fhe_estimators.core.graph import Graph

#: Rows in one ciphertext at most: beyond, the gain is below a tenth.
_MOST = 8


@dataclass(frozen=True)
class Packing:
    """`slots` rows in one, `bits` apart."""

    slots: int
    bits: int

    @property
    def factor(self) -> int:
        """What one row with the same number in every slot is multiplied by."""
        return sum(1 << (self.bits * slot) for slot in range(self.slots))

    def pack(self, rows: np.ndarray) -> np.ndarray:
        """Return ``ceil(n / slots)`` rows that hold the `n` given ones."""
        missing = -len(rows) % self.slots
        filled = np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), np.int64)])
        parts = filled.reshape(-1, self.slots, *rows.shape[1:])
        weights = np.left_shift(1, self.bits * np.arange(self.slots, dtype=np.int64))
        return np.tensordot(parts, weights, axes=(1, 0)).astype(np.int64)

    def unpack(self, packed: np.ndarray, n_rows: int) -> np.ndarray:
        """Return the results of the `n_rows` rows."""
        half, modulus = 1 << (self.bits - 1), 1 << self.bits
        slots = []
        for _ in range(self.slots):
            lowest = (packed + half) % modulus - half
            slots.append(lowest)
            packed = (packed - lowest) >> self.bits
        rows: np.ndarray = np.stack(slots, axis=1).reshape(-1, *packed.shape[1:])
        return rows[:n_rows]


def candidates(graph: Graph, p_error: float, torus_bits: float) -> list[Packing]:
    """Return packings of an additive graph that may have parameters, densest first.

    Parameters
    ----------
    graph : Graph
    p_error : float
    torus_bits : float
        Bits that message, growth of the noise and the margin against failures may share.
    """
    bits = 1 + max(
        max(abs(value.low), abs(value.high)).bit_length()  # type: ignore[arg-type]
        for value in (*graph.inputs, *graph.outputs, *graph.values.values())
    )
    # The noise must stay below half a step but with probability p_error: its standard
    # deviation is 1/sqrt(-2 ln p) of that.
    margin = math.log2(math.sqrt(-2 * math.log(p_error))) + 1
    most = int((torus_bits - norm_bits(graph) - margin) // bits)
    return [Packing(slots, bits) for slots in range(min(most, _MOST), 1, -1)]
