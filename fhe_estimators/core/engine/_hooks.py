"""What the engine calls, and writes to, while it compiles."""

from __future__ import annotations

from functools import cache
from typing import Any

from fhe_estimators.core.engine._tracing import declare_integers


@cache
def signs(fhe: Any) -> Any:
    """Return the graph processor that makes tensors signed, see `declare_integers`."""

    class Signs(fhe.representation.GraphProcessor):  # type: ignore[misc]
        def apply(self, graph: Any) -> None:
            declare_integers(graph)

    return Signs()


def artifacts(fhe: Any, function: str) -> Any:
    """Return what takes the records of the compilation of a function, without graphs.

    By default each graph is written out, with all its constants, for dumps of failures,
    which are off.
    """

    class WithoutGraphs(fhe.compilation.artifacts.FunctionDebugArtifacts):  # type: ignore[misc]
        def add_graph(self, name: str, graph: Any) -> None:
            pass

    found = fhe.DebugArtifacts()
    found.module_artifacts.functions = {function: WithoutGraphs()}
    return found
