"""What it takes to compile tree ensembles, from small to large."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from sklearn.datasets import make_classification

import fhe_estimators
from benchmarks.report import Row, at_most, table
from benchmarks.tools import Setup, chosen, peak_memory, processor_seconds, progress
from fhe_estimators import CompilationError

_N_ROWS = 3_000
#: Threads of numpy, which would be waiting for each other, are no work of ours.
_ONE_THREAD = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Size:
    """The size of an ensemble of two classes."""

    family: str
    trees: int
    depth: int
    features: int = 20
    n_bits: int = 4

    def __str__(self) -> str:
        size = f"{self.family} {self.trees}x{self.depth}"
        return f"{size}, {self.features} features, {self.n_bits} bits"

    def model(self) -> Any:
        """Return the estimator."""
        parameters = {
            "boosting": ("GradientBoostingClassifier", "n_estimators", "max_depth"),
            "forest": ("RandomForestClassifier", "n_estimators", "max_depth"),
            "symmetric": ("CatBoostClassifier", "iterations", "depth"),
        }
        name, n_trees, depth = parameters[self.family]
        more: dict[str, Any] = {"random_state": 0}
        if self.family == "symmetric":
            more |= {"verbose": 0, "allow_writing_files": False}
        elif self.features > 100:
            more |= {"max_features": "sqrt"}
        estimator = getattr(fhe_estimators, name)
        given = {n_trees: self.trees, depth: self.depth, "n_bits": self.n_bits}
        return estimator(**given, **more)


#: One property varied at a time, and corners of the grid.
SIZES = (
    *(Size("boosting", trees, 3) for trees in (10, 100, 500)),
    *(Size("boosting", 100, depth) for depth in (2, 4, 6, 8)),
    *(Size("boosting", 100, 4, features=features) for features in (10, 100, 500)),
    *(Size("boosting", 100, 4, n_bits=n_bits) for n_bits in (3, 6, 8)),
    Size("boosting", 100, 4, features=500, n_bits=8),
    Size("boosting", 100, 6, n_bits=8),
    Size("forest", 100, 8),
    Size("forest", 100, 8, features=500, n_bits=8),
    Size("symmetric", 50, 6),
    Size("boosting", 500, 6),
    Size("boosting", 500, 8),
)


def compile_growth(setup: Setup) -> list[Row]:
    """Processor time and peak memory of compiling, each size in a process of its own."""
    del setup  # nothing is measured in turns
    rows: list[Row] = []
    os.environ.setdefault(_ONE_THREAD, "1")
    for size in chosen(SIZES):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            row = pool.submit(_compiled, size).result()
        progress(table([row]))
        rows.append(row)
    return rows


def _compiled(size: Size) -> Row:
    warnings.simplefilter("ignore", fhe_estimators.CostWarning)
    X, y = make_classification(
        _N_ROWS,
        size.features,
        n_informative=min(size.features // 2, 100),
        random_state=0,
        flip_y=0.1,
    )
    model = size.model()
    row: Row = {
        "size": str(size),
        "fit (CPU s)": processor_seconds(lambda: model.fit(X, y)),
    }
    try:
        taken = processor_seconds(model.compile)
    except CompilationError as error:
        return {**row, "note": str(error)[:100]}
    circuit = model.fhe_circuit
    return {
        **row,
        "compile (CPU s)": taken,
        "peak memory (MB)": peak_memory() / 1e6,
        "tables": circuit.programmable_bootstrap_count,
        "complexity": float(circuit.complexity),
        "goal": at_most(10, taken, " s"),
    }
