"""Seconds that are told before there is a key, beside those that a row takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import fhe_estimators
from benchmarks import data
from benchmarks.report import Row, at_most
from benchmarks.tools import Setup, progress
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine import MachinePrices
from fhe_estimators.inspection._prices import calibrating, timed

#: Bits of measured tables: no model here has wider ones.
_BITS = (2, 3, 4, 5)
#: What an estimate may be off by.
_OFF = 0.25
#: A model of each family.
_MODELS: dict[str, dict[str, Any]] = {
    "LogisticRegression": {"max_iter": 5000},
    "LinearSVC": {"dual": False},
    "LinearDiscriminantAnalysis": {},
    "GaussianNB": {},
    "KNeighborsClassifier": {"n_neighbors": 1},
    "DecisionTreeClassifier": {"max_depth": 5, "random_state": 0},
    "RandomForestClassifier": {"n_estimators": 10, "max_depth": 4, "random_state": 0},
    "GradientBoostingClassifier": {"n_estimators": 20, "max_depth": 3, "random_state": 0},
    "HistGradientBoostingClassifier": {"max_iter": 20, "max_depth": 2, "random_state": 0},
    "IsolationForest": {"n_estimators": 5, "max_samples": 32, "random_state": 0},
    "XGBClassifier": {"n_estimators": 20, "max_depth": 2, "random_state": 0},
    "LGBMClassifier": {"n_estimators": 20, "max_depth": 2, "verbose": -1},
    "CatBoostClassifier": {"iterations": 10, "depth": 4, "verbose": False},
    "ExplainableBoostingClassifier": {"interactions": 5, "outer_bags": 2, "n_jobs": 1},
    "NeuralNetClassifier": {"max_epochs": 5, "random_state": 0},
}
#: Times that all circuits are timed, in turns; the least seconds count.
_ROUNDS = 2
#: Rows of training of the model whose cost grows with them.
_FEW_ROWS = 20


def estimates(setup: Setup) -> list[Row]:
    """Calibrated and rough seconds of a row of each family, and how far they are off."""
    measuring = list(calibrating(_BITS))
    models = list(circuits())
    progress("all keys are there")
    return compared(measuring, models)


def circuits() -> Iterator[tuple[str, Circuit]]:
    """Yield the circuits of fitted models, with keys, those that are installed."""
    X, y = data.breast_cancer_scaled()
    for name, parameters in _MODELS.items():
        try:
            model = getattr(fhe_estimators, name)(**parameters)
        except ImportError:
            continue
        few = slice(_FEW_ROWS if name.startswith("KNeighbors") else None)
        circuit = model.fit(X[few].astype(np.float32), y[few]).compile()
        circuit.keygen()
        progress(name)
        yield name, circuit


def compared(measuring: list[Circuit], models: list[tuple[str, Circuit]]) -> list[Row]:
    """Return a row for each model; it is timed in turns with what prices come from.

    Others who use the machine make it slower at times. Rows of few milliseconds then fit
    between them, those of tables do not: run it where nothing else runs.
    """
    works = [circuit.work for circuit in measuring]
    rounds = []
    for _ in range(_ROUNDS):
        of_prices = [timed(circuit)[1] for circuit in measuring]
        rounds.append((of_prices, [timed(circuit)[1] for _, circuit in models]))
    seconds, taken = (np.min(of, axis=0).tolist() for of in zip(*rounds, strict=True))
    found = MachinePrices.fitted(works, seconds)
    rows: list[Row] = []
    for (name, circuit), measured in zip(models, taken, strict=True):
        estimate = found.seconds(circuit.work)
        off = estimate / measured - 1
        rows.append(
            {
                "model": name,
                "tables": circuit.programmable_bootstrap_count,
                "measured (s)": measured,
                "estimate (s)": estimate,
                "off": off,
                "rough (s)": circuit.cost.seconds,
                "goal": at_most(_OFF, abs(off)),
            }
        )
    return rows
