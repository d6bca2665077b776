"""What tables cost, known before anything is compiled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fhe_estimators.core.engine._calibration import MachinePrices, Work


@dataclass(frozen=True)
class Prices:
    """What the tables of an engine cost at least, at one failure probability.

    Parameters
    ----------
    table_operations : mapping of int to float
        Elementary operations, as the optimizer counts them, of a table that reads so many
        bits.
    table_key_bytes : mapping of int to float
        Bytes of the compressed keys for such a table.
    operations_per_second : float
        Of one core.
    seconds_per_megabyte : float
        How long a server makes keys ready for a call.
    operations_per_key_byte : float
        Operations that take a server as long as to make a byte of keys ready.
    operations_per_result : float
        Operations that are worth one ciphertext less to send and to decrypt.
    calibration : MachinePrices, optional
        What was measured on this machine. Estimates of compiled circuits are taken from it;
        how models are lowered, and what is refused, never depends on it.
    """

    table_operations: Mapping[int, float]
    table_key_bytes: Mapping[int, float]
    operations_per_second: float = 6e9
    seconds_per_megabyte: float = 1.5e-3
    operations_per_key_byte: float = 20
    operations_per_result: float = 15e6
    calibration: MachinePrices | None = None

    def operations(self, bits: int, exact_to: float = 0.0) -> float:
        """Return what a table costs, at least.

        Parameters
        ----------
        bits : int
            That it reads; a table of 0 bits is none.
        exact_to : float, default=0.0
            Bits of the torus that its results have to be exact to, because of sums that
            they are added up in.
        """
        least = self._least(self.table_operations, bits)
        return least * float(np.interp(exact_to, *EXACTNESS))

    def key_bytes(self, bits: int) -> float:
        """Return what the keys for a table that reads so many bits take at least."""
        return self._least(self.table_key_bytes, bits)

    def key_operations(self, bits: int) -> float:
        """Return what it costs at least to make the keys for such a table ready."""
        return self.operations_per_key_byte * self.key_bytes(bits)

    @staticmethod
    def _least(prices: Mapping[int, float], bits: int) -> float:
        return prices[min(bits, max(prices))] if bits else 0.0

    def seconds(self, complexity: float, key_bytes: int = 0) -> float:
        """Return roughly how long a circuit with tables computes on all cores.

        Parameters
        ----------
        complexity : float
            The optimizer's figure.
        key_bytes : int, default=0
            Compressed evaluation keys.
        """
        cores = os.cpu_count() or 1
        keys = key_bytes / 1e6 * self.seconds_per_megabyte
        return complexity / (self.operations_per_second * cores) + keys

    def row_seconds(self, complexity: float, work: Work) -> float:
        """Return how long a row takes: all of it if there is a calibration.

        Without one, roughly how long its tables take, and 0 if there are none.
        """
        if self.calibration is not None:
            return self.calibration.seconds(work)
        return self.seconds(complexity, int(work.key_bytes)) if work.tables else 0.0


#: Exponent of a failure probability -> operations, and bytes of keys, of one table that
#: reads 1, 2, ... bits: what ``python -m benchmarks prices`` measures.
MEASURED: Mapping[int, tuple[tuple[float, ...], tuple[float, ...]]] = {
    1: (
        (1.72e7, 1.81e7, 2.5e7, 2.76e7, 3.28e7, 4.89e7, 8.85e7),
        (5.26e6, 5.56e6, 6.92e6, 7.64e6, 8.59e6, 1.25e7, 2e7),
    ),
    10: (
        (2.56e7, 2.89e7, 4.09e7, 6.76e7, 9.69e7, 2.24e8, 5.17e8),
        (7.08e6, 8.49e6, 1.15e7, 1.87e7, 2.51e7, 5.44e7, 1.22e8),
    ),
    20: (
        (2.71e7, 3.13e7, 4.45e7, 7.54e7, 1.05e8, 2.5e8, 6.22e8),
        (7.5e6, 8.66e6, 1.25e7, 1.91e7, 2.71e7, 5.9e7, 1.25e8),
    ),
    30: (
        (2.85e7, 4.06e7, 6.68e7, 9.62e7, 2.22e8, 5.11e8, 1.18e9),
        (7.9e6, 1.14e7, 1.85e7, 2.49e7, 5.39e7, 1.21e8, 2.48e8),
    ),
    40: (
        (2.93e7, 4.14e7, 6.87e7, 9.79e7, 2.27e8, 5.26e8, 1.2e9),
        (8.6e6, 1.17e7, 1.9e7, 2.53e7, 5.68e7, 1.24e8, 2.6e8),
    ),
    64: (
        (3.07e7, 4.34e7, 7.38e7, 1.02e8, 2.39e8, 5.55e8, 1.27e9),
        (8.51e6, 1.22e7, 2.04e7, 2.65e7, 5.98e7, 1.24e8, 2.76e8),
    ),
    128: (
        (4.09e7, 6.76e7, 9.69e7, 2.24e8, 5.16e8, 1.19e9, 3.9e9),
        (1.15e7, 1.87e7, 2.51e7, 5.44e7, 1.22e8, 2.5e8, 1.09e9),
    ),
}


#: Bits of the torus that results of tables are exact to, and what that multiplies their
#: price by: what ``python -m benchmarks exactness`` measures.
EXACTNESS: tuple[tuple[float, ...], tuple[float, ...]] = (
    (9, 13, 16, 18, 20, 22, 24, 26, 28, 30),
    (1.0, 1.45, 1.6, 1.9, 2.35, 3.0, 3.9, 5.5, 20.0, 100.0),
)


class TFHE:
    """Base of engines that compute with TFHE, or as if they did: limits and prices.

    Attributes
    ----------
    maximum_table_bits : int
        Bits that a table reads at most.
    torus_bits : float
        Bits that numbers, the growth of their noise, and the margin against failures may
        share of the torus' 64 where there is no table.

    Notes
    -----
    ``python -m benchmarks limits`` measures both, and finds 60.2 bits of the torus or more.
    """

    maximum_table_bits = 16
    torus_bits = 60.0

    def prices(self, p_error: float) -> Prices:
        """Return what tables cost at least at a failure probability.

        The figures are those of the nearest measured one that is not smaller, as nothing
        costs less; where none is larger, of the largest.
        """
        not_smaller = [exponent for exponent in MEASURED if 2.0**-exponent >= p_error]
        operations, key_bytes = MEASURED[max(not_smaller, default=min(MEASURED))]
        return Prices(
            dict(enumerate(operations, start=1)), dict(enumerate(key_bytes, start=1))
        )


class MeasuredTFHE(TFHE):
    """Base of engines that encrypt: what a row takes may have been measured here."""

    def prices(self, p_error: float) -> Prices:
        """Return what tables cost at least, with the calibration of this machine if any."""
        return replace(super().prices(p_error), calibration=MachinePrices.cached())
