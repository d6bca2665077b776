"""Representative models, and what they cost on any machine."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.preprocessing import scale

from tools.mirror.sources import ROOT

__all__ = ["MODELS", "Figures", "figures_of", "figures_of_import"]

Figures = dict[str, float]

_SHOW_MODULES = (
    "import sys; known = sys.stdlib_module_names; "
    "print(*(name for name in sys.modules if name.partition('.')[0] not in known))"
)


def _logistic_regression() -> Any:
    from fhe_estimators import LogisticRegression

    X, y = load_breast_cancer(return_X_y=True)
    return LogisticRegression().fit(scale(X), y)


def _neighbors() -> Any:
    from fhe_estimators import KNeighborsClassifier

    X, y = load_wine(return_X_y=True)
    return KNeighborsClassifier(3).fit(X[::2], y[::2])


def _tree() -> Any:
    from fhe_estimators import DecisionTreeClassifier

    model = DecisionTreeClassifier(max_depth=5, random_state=0)
    return model.fit(*load_digits(return_X_y=True))


def _forest() -> Any:
    from fhe_estimators import RandomForestClassifier

    model = RandomForestClassifier(10, max_depth=4, random_state=0)
    return model.fit(*load_breast_cancer(return_X_y=True))


def _boosting() -> Any:
    from fhe_estimators import GradientBoostingClassifier

    model = GradientBoostingClassifier(n_estimators=10, random_state=0)
    return model.fit(*load_breast_cancer(return_X_y=True))


def _stumps() -> Any:
    from fhe_estimators import GradientBoostingRegressor

    model = GradientBoostingRegressor(n_estimators=30, max_depth=1, random_state=0)
    return model.fit(*load_diabetes(return_X_y=True))


def _dense_network() -> Any:
    from torch import nn

    return _network(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10), shape=(64,))


def _convolution() -> Any:
    from torch import nn

    layers = (nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten())
    return _network(*layers, nn.Linear(18, 10), shape=(1, 8, 8))


def _network(*layers: Any, shape: tuple[int, ...]) -> Any:
    """Return a network of drawn weights: training would depend on the machine."""
    import torch

    from fhe_estimators.torch import compile_torch_model

    generator, net = np.random.default_rng(0), torch.nn.Sequential(*layers)
    with torch.no_grad():
        for weights in net.parameters():
            drawn = generator.uniform(-0.3, 0.3, tuple(weights.shape))
            weights.copy_(torch.from_numpy(drawn))
    rows = load_digits().data[:50].astype(np.float32).reshape(-1, *shape) / 16
    return compile_torch_model(net, rows, n_bits=4, rounding_bits=4)


#: How each model is made; its name begins the names of its figures.
MODELS: dict[str, Callable[[], Any]] = {
    "logistic_regression": _logistic_regression,
    "neighbors": _neighbors,
    "tree": _tree,
    "forest": _forest,
    "boosting": _boosting,
    "stumps": _stumps,
    "dense_network": _dense_network,
    "convolution": _convolution,
}


def figures_of(name: str) -> Figures:
    """Return what one encrypted row of a model costs, and how often it was compiled."""
    from fhe_estimators.inspection import cost

    with _compilations() as compilations:
        report = cost(MODELS[name]())
    found = {
        "tables": sum(report.tables.values()),
        "complexity": float(f"{report.complexity:.4g}"),
        "key_bytes": report.key_bytes,
        "upload_bytes": report.upload_bytes,
        "download_bytes": report.download_bytes,
        "compilations": len(compilations),
    }
    return {f"{name}.{figure}": value for figure, value in found.items()}


@contextmanager
def _compilations() -> Iterator[list[str]]:
    """Return a context with the messages of the engine, one for each compilation."""
    messages: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg.startswith("compiled for"):
                messages.append(record.getMessage())

    logger, collect = logging.getLogger("fhe_estimators.core.engine"), Collect()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(collect)
    try:
        yield messages
    finally:
        logger.removeHandler(collect)
        logger.setLevel(level)


def figures_of_import() -> Figures:
    """Return how many modules imports load, beside those of scikit-learn's class."""
    # An environment loads some at its start, as for editable installations: not counted.
    start = _modules("pass")
    ours = _modules("from fhe_estimators import LogisticRegression") - start
    parent = _modules("from sklearn.linear_model import LogisticRegression") - start
    return {
        "import.package_modules": len(_modules("import fhe_estimators") - start),
        "import.estimator_modules": len(ours - parent),
        "import.estimator_ratio": round(len(ours) / len(parent), 3),
    }


def _modules(code: str) -> set[str]:
    """Return the modules that code imports in a new process, less Python's own."""
    command = [sys.executable, "-W", "ignore", "-c", f"{code}; {_SHOW_MODULES}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return {name for name in done.stdout.split() if name != "__main__"}
