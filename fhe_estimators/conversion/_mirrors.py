"""The class of this package that mirrors one of another library."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from fhe_estimators._parents import parent_of
from fhe_estimators.base import FHEMixin

_METHODS = ("predict", "predict_proba", "decision_function", "transform")
#: Modules of this package, by how those of the libraries begin.
_LIBRARIES = ("interpret", "lightgbm", "xgboost")


def mirror_of(model: Any) -> Any:
    """Return the class that mirrors the closest parent of a model, or None.

    A subclass that predicts otherwise than the mirrored class has none.
    """
    for base in type(model).__mro__:
        found = _mirror_named(base)
        if found is not None:
            same = all(
                inspect.getattr_static(type(model), method, None)
                is inspect.getattr_static(base, method, None)
                for method in _METHODS
            )
            return found if same else None
    return None


def _mirror_named(parent: type) -> type[FHEMixin] | None:
    """Return the mirror of a class, of the same name in the module of the same name."""
    library, _, rest = parent.__module__.partition(".")
    name = library if library in _LIBRARIES else rest.partition(".")[0]
    if library not in (*_LIBRARIES, "sklearn") or not name:
        return None
    try:
        module = importlib.import_module(f"fhe_estimators.{name}")
    except ModuleNotFoundError:
        return None
    found: Any = getattr(module, parent.__name__, None)
    is_mirror = isinstance(found, type) and issubclass(found, FHEMixin)
    return found if is_mirror and parent_of(found) is parent else None
