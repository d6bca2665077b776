"""Deployments behind HTTP: a server whose circuits run in processes of their own.

`create_app` is the server, an application for any ASGI server, and `RemoteModel` an
estimator that predicts through it. They need the extra ``serve``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fhe_estimators.deployment.serving._app import create_app
    from fhe_estimators.deployment.serving._limits import Limits
    from fhe_estimators.deployment.serving._ray import ray_app
    from fhe_estimators.deployment.serving._remote import RemoteModel, fetch_client

_MODULES = {
    "Limits": "_limits",
    "RemoteModel": "_remote",
    "create_app": "_app",
    "fetch_client": "_remote",
    "ray_app": "_ray",
}

__all__ = ["Limits", "RemoteModel", "create_app", "fetch_client", "ray_app"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # A client needs no server, a worker neither.
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
