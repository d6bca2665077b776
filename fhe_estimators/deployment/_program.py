"""From a stored graph to a program, the same way at the exporter and at the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fhe_estimators.core.graph import Graph
from fhe_estimators.deployment import _json
from fhe_estimators.deployment._arrays import pack, unpack
from fhe_estimators.deployment._graphs import INTEGER_GRAPH
from fhe_estimators.deployment._kinds import Arrays, Real, Record

if TYPE_CHECKING:
    import numpy as np

    from fhe_estimators.core.engine import ConcreteProgram, Specification


@dataclass(frozen=True)
class Source:
    """What a program is compiled from.

    Parameters
    ----------
    graph : Graph
        On integers.
    p_error : float
    """

    graph: Graph
    p_error: float

    def write(self) -> tuple[bytes, bytes]:
        """Return a document and a file of arrays."""
        arrays: list[np.ndarray] = []
        document = _SOURCE.write(self, arrays)
        return _json.dumps(document), pack(arrays)

    @classmethod
    def read(cls, document: bytes, arrays: bytes) -> Source:
        """Return what was written; `FormatError` if it is something else."""
        found = Arrays(unpack(arrays, "constants.npz"))
        loaded = _json.loads(document, "graph.json")
        source: Source = _SOURCE.read(loaded, found, "graph.json")
        found.check_all_taken("constants.npz")
        return source

    def compiled(self, family: Specification | None, rows: int = 1) -> ConcreteProgram:
        """Return the program.

        Parameters
        ----------
        family : Specification, optional
            Of a program with whose keys it should run.
        rows : int, default=1
            Of one call.

        Raises
        ------
        CompilationError
            If there are no parameters.
        """
        from fhe_estimators.core.circuit import extremes
        from fhe_estimators.core.engine import ConcreteEngine

        engine = ConcreteEngine(family=family)
        return engine.compile(self.graph, rows, extremes(self.graph), self.p_error)


_SOURCE = Record(Source, {"graph": INTEGER_GRAPH, "p_error": Real()})


def for_clients(program: ConcreteProgram) -> Specification:
    """Return the specification of what clients encrypt: all, whatever the program reads."""
    specification = program.specification
    if program.selection is None:
        return specification
    return specification.with_width(program.selection.width)
