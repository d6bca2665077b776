"""What a circuit costs, before there is a key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhe_estimators._reports import facts_as_html
from fhe_estimators._warnings import warn
from fhe_estimators.core.engine import Facts, Prices, Work, lookups
from fhe_estimators.core.graph import Graph
from fhe_estimators.core.operators import kinds_of
from fhe_estimators.exceptions import CompilationError, CostWarning

if TYPE_CHECKING:
    import pandas as pd

#: Seconds for each row from which on there is a warning, and an error.
SLOW, HOPELESS = 60, 3600


def check_affordable(seconds: float, what: str, cure: str) -> None:
    """Tell of what takes minutes, and refuse what takes hours.

    Parameters
    ----------
    seconds : float
        For each encrypted row.
    what : str
        A sentence on what takes so long, without its end.
    cure : str
        A sentence on what would be faster.

    Raises
    ------
    CompilationError
        If it is hours.

    Warns
    -----
    CostWarning
        If it is minutes.
    """
    if seconds < SLOW:
        return
    message = (
        f"{what}: about {seconds:,.0f} s for each encrypted row on this machine. {cure}"
    )
    if seconds > HOPELESS:
        raise CompilationError(message)
    warn(message, CostWarning)


#: Bytes of an encrypted input: a seed and one number.
_SEEDED_BYTES = 24


def tables_of(graph: Graph) -> dict[int, int]:
    """Return how many look-ups read integers of so many bits, see `Cost`."""
    tables: Counter[int] = Counter()
    for number, bits, removed in _lookups(graph):
        tables[bits] += number
        if removed:
            tables[1] += number * removed
    return dict(sorted(tables.items()))


def _lookups(graph: Graph) -> Iterator[tuple[int, int, int]]:
    """Yield how many tables nodes have, of how many bits, and bits removed before."""
    kind_of = kinds_of(graph)
    for node in graph:
        kind = kind_of(node)
        if kind.bootstraps:
            number = graph.value(node.outputs[0]).row_size
            yield number, kind.table_bits(node, graph), kind.removed_bits(node)


def work_of(graph: Graph, facts: Facts) -> Work:
    """Return what takes time in a program for one row.

    Inputs and results have the same secret key: they are of the same size, but that inputs
    are sent as a seed.
    """
    n_tables = sum(tables_of(graph).values())
    n_results = sum(value.row_size for value in graph.outputs)
    return Work(
        facts.input_bytes / _SEEDED_BYTES * facts.output_bytes / max(n_results, 1),
        facts.key_bytes if n_tables else 0,
        sum(lookups(number) * (1 + removed) for number, _, removed in _lookups(graph)),
        facts.complexity / n_tables if n_tables else 0.0,
    )


@dataclass(frozen=True)
class Cost:
    """What one encrypted row costs.

    Parameters
    ----------
    tables : dict of int to int
        How many look-ups read an integer of so many bits; with exact rounding, one of one
        bit for each bit that is removed.
    maximum_bit_width : int
        Bits of the widest integer.
    complexity : float
        The optimizer's estimate of the work, in elementary operations.
    seconds : float
        An estimate for all cores of this machine: to encrypt, compute and decrypt, if there
        are prices that were measured on it, see `inspection.calibrate_prices`; else a rough
        one of the tables alone, and 0 without tables.
    upload_bytes, download_bytes : int
        The encrypted row and its encrypted result.
    key_bytes : int
        Compressed evaluation keys, which the server needs once.
    """

    tables: dict[int, int]
    maximum_bit_width: int
    complexity: float
    seconds: float
    upload_bytes: int
    download_bytes: int
    key_bytes: int

    @classmethod
    def of(cls, graph: Graph, facts: Facts, prices: Prices) -> Cost:
        """Return the cost of a graph that was compiled for one row."""
        tables = tables_of(graph)
        values = (*graph.inputs, *graph.values.values())
        return cls(
            tables,
            max(value.bits or 0 for value in values),
            facts.complexity,
            prices.row_seconds(facts.complexity, work_of(graph, facts)),
            facts.input_bytes,
            facts.output_bytes,
            facts.key_bytes if tables else 0,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame of one row, which needs pandas.

        Returns
        -------
        frame : pandas.DataFrame
            A column for each figure; of `tables` their number, of all bits.
        """
        import pandas as pd

        return pd.DataFrame([{**vars(self), "tables": sum(self.tables.values())}])

    def _facts(self) -> dict[str, str]:
        """Return what a row costs, in words, by name."""
        tables = ", ".join(f"{n:,} of {bits} bits" for bits, n in self.tables.items())
        return {
            "tables": tables or "none",
            "widest": f"{self.maximum_bit_width} bits",
            "complexity": f"{self.complexity:.3g} operations",
            "estimated": f"{self.seconds:.2g} s a row on this machine",
            "upload": f"{self.upload_bytes:,} bytes a row",
            "download": f"{self.download_bytes:,} bytes a row",
            "server keys": f"{self.key_bytes:,} bytes",
        }

    def __str__(self) -> str:
        return "\n".join(f"{name:<11}  {text}" for name, text in self._facts().items())

    def _repr_html_(self) -> str:
        return facts_as_html(self._facts())
