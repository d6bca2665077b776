"""A user's small program, which strict type checkers accept: `make lint` asks mypy.

Where it is wrong on purpose a checker has to say so: an error that is ignored, but not
found, is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import numpy as np
import numpy.typing as npt

from fhe_estimators import LogisticRegression, config_context
from fhe_estimators.deployment import Client, Server, save_deployment
from fhe_estimators.inspection import Comparison, agreement, cost
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


def wrong(model: LogisticRegression) -> None:
    """Nobody calls it."""
    LogisticRegression(n_bitz=6)  # type: ignore[call-arg]
    config_context(fhe=True)  # type: ignore[arg-type]
    print(cost(model).tabels)  # type: ignore[attr-defined]
    Server(10)  # type: ignore[arg-type]
