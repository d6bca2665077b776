"""A user's small program, which strict type checkers accept: `make lint` asks mypy.

Where it is wrong on purpose a checker has to say so: an error that is ignored, but not
found, is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator  # type: ignore[import-untyped, unused-ignore]
from sklearn.model_selection import (  # type: ignore[import-untyped, unused-ignore]
    GridSearchCV,
)
from sklearn.pipeline import (  # type: ignore[import-untyped, unused-ignore]
    Pipeline,
    make_pipeline,
)
from sklearn.preprocessing import (  # type: ignore[import-untyped, unused-ignore]
    StandardScaler,
)

from fhe_estimators import LogisticRegression, config_context
from fhe_estimators.deployment import (
    Client,
    KeyMismatchError,
    Limits,
    RemoteModel,
    Server,
    create_app,
    save_deployment,
)
from fhe_estimators.inspection import Comparison, agreement, cost
from fhe_estimators.model_selection import ParetoSearchCV, best_within
from fhe_estimators.quantization import QuantizedModule

X = np.arange(20.0).reshape(10, 2)
y = np.arange(10) // 5


def fitted() -> LogisticRegression:
    model = LogisticRegression(n_bits=6, C=2.0)
    model.fit(X, y)
    assert_type(model.quantized_module, QuantizedModule)
    return model


def in_all_modes(model: LogisticRegression) -> list[npt.NDArray[np.int64]]:
    found = []
    for mode in ("disable", "simulate", "execute"):
        with config_context(fhe=mode):
            found.append(np.asarray(model.predict(X), np.int64))
    return found


def piped() -> Pipeline:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(n_bits=6))
    pipeline.fit(X, y)
    step = pipeline[-1]
    assert isinstance(step, LogisticRegression)
    assert_type(step.quantized_module, QuantizedModule)
    assert_type(step.score(X, y), float)
    return pipeline


def searched(pipeline: Pipeline) -> tuple[LogisticRegression, int]:
    """Return the best model, and how many tables it takes: scikit-learn has no types."""
    search = GridSearchCV(pipeline, {"logisticregression__n_bits": [2, 6]}, cv=2)
    search.fit(X, y)
    best = search.best_estimator_[-1]
    assert isinstance(best, LogisticRegression)
    return best, sum(cost(search).tables.values())


def searched_by_cost() -> ParetoSearchCV:
    candidates = [(LogisticRegression(), {"n_bits": [2, 6]})]
    search = ParetoSearchCV(candidates, refit=best_within(seconds=10), cv=2)
    search.fit(X, y)
    return search


def networks() -> tuple[BaseEstimator, BaseEstimator]:
    from fhe_estimators.neural_network import NeuralNetClassifier, SkorchClassifier

    network = NeuralNetClassifier(hidden_layer_sizes=[2], max_epochs=1)
    return network, SkorchClassifier(None, n_bits=4)


def bytes_of_a_row(model: LogisticRegression) -> int:
    report = cost(model)
    assert_type(report.tables, dict[int, int])
    return report.upload_bytes + report.download_bytes


def comparisons(model: LogisticRegression) -> list[Comparison]:
    return list(agreement(model, X, y))


def deployed(model: LogisticRegression, folder: Path) -> npt.NDArray[np.int64]:
    save_deployment(model, folder)
    client, server = Client(folder / "client.zip"), Server(folder / "server.zip")
    answer = server.run(client.encrypt(X), client.evaluation_keys)
    assert_type(answer, bytes)
    return np.asarray(client.decrypt_predict(answer), np.int64)


def served(folder: Path, url: str) -> npt.NDArray[np.float64]:
    """Nobody calls it: the application of a server, and a client of it."""
    create_app(folder, tokens=["secret"], limits=Limits(rows=8))
    client = Client(folder / "client.zip", keys=folder / "keys", passphrase="words")
    assert_type(client.key_id, str)
    remote = RemoteModel(url, client, token="secret", n_rows=8)
    try:
        return np.asarray(remote.predict(X), np.float64)
    except KeyMismatchError:
        assert_type(remote.token, str | None)
        raise


def wrong(model: LogisticRegression) -> None:
    """Nobody calls it."""
    LogisticRegression(n_bitz=6)  # type: ignore[call-arg]
    config_context(fhe=True)  # type: ignore[arg-type]
    print(cost(model).tabels)  # type: ignore[attr-defined]
    model.predict(X, feh="execute")  # type: ignore[call-arg]
    model.predict_proba(X).astpye(int)  # type: ignore[attr-defined]
    Server(10)  # type: ignore[arg-type]
    RemoteModel("https://example.org", "client.zip")  # type: ignore[arg-type]
    ParetoSearchCV([], refit=best_within(second=1))  # type: ignore[call-arg]
    Limits(row=8)  # type: ignore[call-arg]
