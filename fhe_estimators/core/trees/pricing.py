"""The columns of a sum of tables that cost least, told by compiling them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np

from fhe_estimators.core.circuit import Cost, Recombination
from fhe_estimators.core.engine import Prices
from fhe_estimators.core.graph import Graph
from fhe_estimators.core.trees.columns import Column
from fhe_estimators.core.trees.table_sum import TableSum
from fhe_estimators.exceptions import CompilationError

__all__ = ["Build", "Built", "priced_circuits"]

#: How wide and noisy columns may be, see `TableSum.columns`: between the least, below
#: which parameters get no cheaper, and no limit.
_ROOMS = (8, 8.5, 9, 9.5, 10, 12, np.inf)
#: A complexity within this factor of another is as good.
_AS_GOOD = 1.03
#: Tables of which not all are compiled to see what they cost.
_MANY_TABLES = 500


class _HasCost(Protocol):
    @property
    def cost(self) -> Cost: ...


Built = TypeVar("Built", bound=_HasCost)
Build = Callable[[Graph, Recombination], Built]


def priced_circuits(
    sums: TableSum,
    encoding: str,
    offset: np.ndarray,
    build: Build[Built],
    of_engine: Prices,
) -> list[tuple[float, Built]]:
    """Return circuits with several numbers of columns, and the price of each.

    Of many tables a few columns tell the price of all, which are compiled once it is known
    how many columns there are.

    Parameters
    ----------
    sums : TableSum
    encoding : {'thermometer', 'integer', 'digits'}
        See `Bits.provided`.
    offset : ndarray of int64 of shape (n_outputs,)
        What the outputs lack.
    build : callable
        Compiles a graph, with how its results are recombined.
    of_engine : Prices

    Returns
    -------
    circuits : list of (float, object)

    Raises
    ------
    CompilationError
        If there are no parameters for any number of columns.
    """
    if encoding == "thermometer" and sums.n_tables > _MANY_TABLES:
        told = _Pricing(sums, encoding, offset, build, of_engine, of_few=True)
        told.search()
        expected, columns, built = min(told.found.values(), key=lambda entry: entry[0])
        if len(sums.telling(columns)) == len(columns):
            return [(expected, built)]
        pricing = _Pricing(sums, encoding, offset, build, of_engine)
        price = pricing.total(columns)
        if price <= _AS_GOOD * expected:
            return pricing.circuits()
    pricing = _Pricing(sums, encoding, offset, build, of_engine)
    pricing.search()
    return pricing.circuits()


class _Pricing(Generic[Built]):
    """Compiles a sum with several numbers of columns.

    Parameters
    ----------
    sums, encoding, offset, build, of_engine
        As in `priced_circuits`.
    of_few : bool, default=False
        Whether to compile a few columns instead of all.

    Attributes
    ----------
    found : dict of int to tuple
        By number of columns: the price, the columns, and what was built.
    """

    def __init__(
        self,
        sums: TableSum,
        encoding: str,
        offset: np.ndarray,
        build: Build[Built],
        of_engine: Prices,
        *,
        of_few: bool = False,
    ) -> None:
        self._sums, self._encoding, self._offset = sums, encoding, offset
        self._build, self._of_engine, self._of_few = build, of_engine, of_few
        self.found: dict[int, tuple[float, Sequence[Column], Built]] = {}
        self._prices: dict[int, float] = {}
        self._failures: list[CompilationError] = []

    def circuits(self) -> list[tuple[float, Built]]:
        """Return the price of each circuit, and the circuit."""
        return [(price, built) for price, _, built in self.found.values()]

    def total(self, columns: Sequence[Column]) -> float:
        """Return the price of a circuit with these columns."""
        number, sums = len(columns), self._sums
        if number not in self._prices:
            compiled = sums.telling(columns) if self._of_few else columns
            graph, lacking, scales = sums.lowered(compiled, self._encoding)
            recombination = Recombination(scales, lacking - self._offset)
            try:
                built = self._build(graph, recombination)
            except CompilationError as failure:
                self._failures.append(failure)
                self._prices[number] = np.inf
            else:
                cost, of_engine = built.cost, self._of_engine
                keys = of_engine.operations_per_key_byte * cost.key_bytes
                part = sums.n_read(compiled) / sums.n_tables if self._of_few else 1
                self._prices[number] = cost.complexity / part + keys
                total = self._prices[number] + of_engine.operations_per_result * number
                self.found[number] = total, columns, built
        return self.found[number][0] if number in self.found else np.inf

    def _price(self, room: float) -> float:
        """Return what parameters cost if columns take so much room."""
        columns = self._sums.columns(room)
        self.total(columns)
        return self._prices[len(columns)]

    def search(self) -> None:
        """Find the fewest columns of the cheapest parameters.

        Raises
        ------
        CompilationError
            If there are none.
        """
        # Functions of one feature are linear: one column of all is cheapest.
        if self._sums.n_tables or self._price(_ROOMS[-1]) == np.inf:
            good = self._price(_ROOMS[0]) * _AS_GOOD
            if good == np.inf:
                raise self._failures[-1]
            bisect_left(_ROOMS, True, key=lambda room: self._price(room) > good)
