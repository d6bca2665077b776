"""Two models to try a server with, and a round trip between two processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from fhe_estimators.deployment._client import Client
from fhe_estimators.deployment._save import save_deployment
from fhe_estimators.deployment.errors import DeploymentError
from fhe_estimators.deployment.serving._remote import RemoteModel, fetch_client

_ROWS = "rows.csv"
_N_ROWS = 10
_MODELS = ("logistic-regression", "tree")


def export(folder: Path) -> None:
    """Train two models, and write their deployments and some rows to a folder."""
    from fhe_estimators.linear_model import LogisticRegression
    from fhe_estimators.tree import DecisionTreeClassifier

    X, y = load_breast_cancer(return_X_y=True)
    X, X_test, y, _ = train_test_split(X, y, random_state=0, stratify=y)
    models: tuple[Any, ...] = (
        LogisticRegression(solver="newton-cholesky"),
        DecisionTreeClassifier(max_depth=4, random_state=0),
    )
    for name, model in zip(_MODELS, models, strict=True):
        save_deployment(model.fit(X, y), folder / name, name=name)
    np.savetxt(folder / _ROWS, X_test[:_N_ROWS], delimiter=",")
    np.savetxt(
        folder / "expected.csv",
        np.column_stack([model.predict(X_test[:_N_ROWS]) for model in models]),
        delimiter=",",
    )


def rows_of(folder: Path) -> Path:
    """Return a file of rows for a folder of deployments, be it there or not."""
    path = folder / _ROWS
    return path if path.exists() else Path(_ROWS)


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Return a context with a server in another process; it gives its address."""
    command = [sys.executable, "-m", "fhe_estimators", "serve", str(folder)]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [*command, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                log.seek(0)
                raise DeploymentError(f"The server did not start:\n{log.read()}")
            yield line.split()[-1]
        finally:
            process.terminate()
            process.wait()


def round_trip(folder: Path) -> int:
    """Predict from this process through a server in another one; return 0 if all agree."""
    print("\nA client in this process, a server in another one, on loopback:")
    export(folder)
    rows = np.loadtxt(folder / _ROWS, delimiter=",")
    expected = np.loadtxt(folder / "expected.csv", delimiter=",").T
    same = []
    with serving(folder) as url:
        for name, labels in zip(_MODELS, expected, strict=True):
            path = fetch_client(url, name, folder / f"{name}.zip")
            model = RemoteModel(url, Client(path))
            model.predict(rows[:1])  # keys are made and sent
            start = time.perf_counter()
            found = model.predict(rows)
            milliseconds = (time.perf_counter() - start) / len(rows) * 1e3
            same.append(bool(np.array_equal(found, labels)))
            size = len(model.client.evaluation_keys)
            print(
                f"  {name:<22} {len(rows)} rows, {milliseconds:.0f} ms a row, "
                f"{size / 1e6:.0f} MB of keys sent once, as in clear: {same[-1]}"
            )
    return 0 if all(same) else 1
