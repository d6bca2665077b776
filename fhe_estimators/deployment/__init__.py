"""A fitted model as two files: one for clients, one for a server that sees no row.

The server computes on rows that are encrypted for keys which only the client has. See
`save_deployment`, `Client` and `Server`; `create_app` and `RemoteModel` connect them over
HTTP.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fhe_estimators.deployment._client import Client
    from fhe_estimators.deployment._inspect import describe
    from fhe_estimators.deployment._manifest import Manifest
    from fhe_estimators.deployment._save import save_deployment
    from fhe_estimators.deployment._server import EvaluationKeys, Server
    from fhe_estimators.deployment.errors import (
        ConformanceError,
        DeploymentError,
        FormatError,
        KeyMismatchError,
        ServerBusyError,
        WeakParametersError,
    )
    from fhe_estimators.deployment.serving import Limits, RemoteModel, create_app, ray_app

#: Where names are: each side imports what it needs.
_MODULES = {
    "Client": "_client",
    "ConformanceError": "errors",
    "DeploymentError": "errors",
    "EvaluationKeys": "_server",
    "FormatError": "errors",
    "KeyMismatchError": "errors",
    "Limits": "serving",
    "Manifest": "_manifest",
    "RemoteModel": "serving",
    "Server": "_server",
    "ServerBusyError": "errors",
    "WeakParametersError": "errors",
    "create_app": "serving",
    "describe": "_inspect",
    "ray_app": "serving",
    "save_deployment": "_save",
}

__all__ = [
    "Client",
    "ConformanceError",
    "DeploymentError",
    "EvaluationKeys",
    "FormatError",
    "KeyMismatchError",
    "Limits",
    "Manifest",
    "RemoteModel",
    "Server",
    "ServerBusyError",
    "WeakParametersError",
    "create_app",
    "describe",
    "ray_app",
    "save_deployment",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
        return getattr(module, name)
