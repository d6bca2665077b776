"""scikit-learn estimators that predict on encrypted data.

Importing the package loads neither scikit-learn nor torch nor the encryption engine:
names are resolved when they are first used.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from fhe_estimators._config import config_context
from fhe_estimators._version import __version__

_MODULE_OF = {
    **dict.fromkeys(
        (
            "AccuracyWarning",
            "BitWidthError",
            "ClippingWarning",
            "CompilationError",
            "CostWarning",
            "ForkedProcessError",
            "GraphError",
            "ModelChangedError",
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
    **dict.fromkeys(("DecisionTreeClassifier", "DecisionTreeRegressor"), "tree"),
    **dict.fromkeys(
        (
            "ExtraTreesClassifier",
            "ExtraTreesRegressor",
            "GradientBoostingClassifier",
            "GradientBoostingRegressor",
            "HistGradientBoostingClassifier",
            "HistGradientBoostingRegressor",
            "IsolationForest",
            "RandomForestClassifier",
            "RandomForestRegressor",
        ),
        "ensemble",
    ),
    **dict.fromkeys(("XGBClassifier", "XGBRegressor"), "xgboost"),
    **dict.fromkeys(("LGBMClassifier", "LGBMRegressor"), "lightgbm"),
    "LinearDiscriminantAnalysis": "discriminant_analysis",
    **dict.fromkeys(("BernoulliNB", "GaussianNB"), "naive_bayes"),
    "NearestCentroid": "neighbors",
    **dict.fromkeys(
        (
            "NeuralNetClassifier",
            "NeuralNetRegressor",
            "SkorchClassifier",
            "SkorchRegressor",
            "SparseQuantNeuralNetwork",
        ),
        "neural_network",
    ),
    **dict.fromkeys(
        ("NumpyModule", "QuantizedArray", "QuantizedModule", "UniformQuantizer"),
        "quantization",
    ),
}

#: Modules named after the library that they need.
_OPTIONAL = {"lightgbm", "xgboost"}

_MISSING = {module for module in _OPTIONAL if find_spec(module) is None}

__all__ = [
    "__version__",
    "config_context",
    *(name for name, module in _MODULE_OF.items() if module not in _MISSING),
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULE_OF[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
