"""scikit-learn estimators that predict on encrypted data.

Importing the package loads neither scikit-learn nor torch nor the encryption engine:
names are resolved when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from fhe_estimators._config import config_context
from fhe_estimators._version import __version__

_MODULE_OF = {
    **dict.fromkeys(
        (
            "BitWidthError",
            "CompilationError",
            "GraphError",
            "NotCompiledError",
            "UnsupportedOperatorError",
        ),
        "exceptions",
    ),
    **dict.fromkeys(
        (
            "ElasticNet",
            "GammaRegressor",
            "Lasso",
            "LinearRegression",
            "LogisticRegression",
            "PoissonRegressor",
            "Ridge",
            "RidgeClassifier",
            "SGDClassifier",
            "SGDRegressor",
            "TweedieRegressor",
        ),
        "linear_model",
    ),
    **dict.fromkeys(("LinearSVC", "LinearSVR"), "svm"),
    "LinearDiscriminantAnalysis": "discriminant_analysis",
    **dict.fromkeys(("BernoulliNB", "GaussianNB"), "naive_bayes"),
    "NearestCentroid": "neighbors",
    **dict.fromkeys(
        ("NumpyModule", "QuantizedArray", "QuantizedModule", "UniformQuantizer"),
        "quantization",
    ),
}

__all__ = ["__version__", "config_context", *_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULE_OF[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
