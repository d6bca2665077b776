"""Find the estimators of the package: one exists for the tests because it exists."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

from fhe_estimators.base import FHEMixin

#: Modules named after a library that need not be installed.
_OPTIONAL = ("catboost", "interpret", "lightgbm", "xgboost")


def all_estimators() -> list[tuple[str, type]]:
    """Return name and class of every public estimator of the package.

    Those of libraries that are not installed are left out.

    Returns
    -------
    estimators : list of (str, type)
        Sorted by name.

    Examples
    --------
    >>> from fhe_estimators.testing import all_estimators
    >>> [name for name, _ in all_estimators() if name.startswith("Linear")]
    ['LinearDiscriminantAnalysis', 'LinearRegression', 'LinearSVC', 'LinearSVR']
    """
    found: dict[str, type] = {}
    for info in pkgutil.iter_modules([str(Path(__file__).parents[1])]):
        if info.name.startswith("_") or info.name in ("cli", "conversion", "testing"):
            continue
        try:
            module = importlib.import_module(f"fhe_estimators.{info.name}")
        except ModuleNotFoundError as error:
            if error.name in _OPTIONAL:
                continue
            raise
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            is_estimator = inspect.isclass(thing) and issubclass(thing, FHEMixin)
            if is_estimator and hasattr(thing, "get_params"):
                found[name] = thing
    return sorted(found.items())
