"""What a circuit costs, before there is a key."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhe_estimators._reports import facts_as_html
from fhe_estimators.core.engine import Facts, Prices
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
    warnings.warn(message, CostWarning, stacklevel=3)


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
        A rough estimate for all cores of this machine; 0 without tables.
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
        tables: Counter[int] = Counter()
        kind_of = kinds_of(graph)
        for node in graph:
            kind = kind_of(node)
            if kind.bootstraps:
                number = graph.value(node.outputs[0]).row_size
                tables[kind.table_bits(node, graph)] += number
                if kind.removed_bits(node):
                    tables[1] += number * kind.removed_bits(node)
        values = (*graph.inputs, *graph.values.values())
        seconds = prices.seconds(facts.complexity, facts.key_bytes)
        return cls(
            dict(sorted(tables.items())),
            max(value.bits or 0 for value in values),
            facts.complexity,
            seconds if tables else 0.0,
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
