"""Versions that a bug report, or a report on a model, needs."""

from __future__ import annotations

import platform
from importlib import metadata

from fhe_estimators._version import __version__

_PACKAGES = ("scikit-learn", "numpy", "torch", "onnx", "concrete-python")


def versions() -> dict[str, str]:
    """Return the versions of this package, of Python and of what it computes with."""
    return {
        "fhe-estimators": __version__,
        "Python": f"{platform.python_version()} on {platform.machine()}",
        **{package: metadata.version(package) for package in _PACKAGES},
    }
