"""A fitted model as two files: one for clients, one for a server that sees no row.

The server computes on rows that are encrypted for keys which only the client has. See
`save_deployment`, `Client` and `Server`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhe_estimators.deployment._client import Client
from fhe_estimators.deployment._inspect import describe
from fhe_estimators.deployment._manifest import Manifest
from fhe_estimators.deployment._server import EvaluationKeys, Server
from fhe_estimators.deployment.errors import (
    ConformanceError,
    DeploymentError,
    FormatError,
    KeyMismatchError,
    ServerBusyError,
    WeakParametersError,
)

if TYPE_CHECKING:
    from fhe_estimators.deployment._save import save_deployment

__all__ = [
    "Client",
    "ConformanceError",
    "DeploymentError",
    "EvaluationKeys",
    "FormatError",
    "KeyMismatchError",
    "Manifest",
    "Server",
    "ServerBusyError",
    "WeakParametersError",
    "describe",
    "save_deployment",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # Neither client nor server needs estimators.
        if name != "save_deployment":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from fhe_estimators.deployment._save import save_deployment

        return save_deployment
