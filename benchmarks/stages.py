"""Linear models beside other libraries, stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.costs import P_ERROR
from benchmarks.data import breast_cancer_scaled
from benchmarks.report import Row
from benchmarks.tools import STAGES, Clock, Setup, in_milliseconds
from fhe_estimators import LogisticRegression
from fhe_estimators.core.circuit._chunks import Chunks

N_BITS = 8
N_ROWS = 64


class Stages:
    """A logistic regression of ours that is compiled and has keys."""

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        self._X = X
        self._model = LogisticRegression(n_bits=N_BITS, p_error=P_ERROR).fit(X, y)
        self._circuit = self._model.compile()
        for n_rows in (1, N_ROWS):
            self._model.predict(X[:n_rows], fhe="execute")

    def __call__(self, n_rows: int) -> dict[str, Any]:
        """Predict rows; return seconds of each stage, bytes, and labels.

        One stage after the other: prediction itself encrypts some rows while it computes
        with others.
        """
        circuit, clock = self._circuit, Clock()
        plan = circuit._plan(n_rows)
        program = circuit._program(plan)
        integers = clock("encode", lambda: self._model.quantize_input(self._X[:n_rows]))
        chunks = Chunks(plan, (integers,))
        sent = clock("encrypt", lambda: [program.encrypt(*chunk) for chunk in chunks])
        results = clock("operate", lambda: [program.run(part) for part in sent])
        found = clock("decrypt", lambda: [program.decrypt(part) for part in results])

        def decoded() -> np.ndarray:
            parts = [chunks.unpacked(number, part) for number, part in enumerate(found)]
            (outputs,) = circuit._outputs(
                tuple(map(np.concatenate, zip(*parts, strict=True)))
            )
            return np.asarray(self._model.dequantize_output(outputs))

        scores = clock("decode", decoded)
        return {
            **clock.taken,
            "up": sum(map(program.ciphertext_bytes, sent)),
            "down": sum(map(program.ciphertext_bytes, results)),
            "keys": program.evaluation_key_bytes,
            "labels": (np.ravel(scores) > 0).astype(int).tolist(),
        }


def linear_stages(setup: Setup) -> list[Row]:
    """Logistic regression, 30 features of breast cancer: ours, Concrete ML's, TenSEAL's.

    The first two are of 8 bits at ``p_error = 2**-40``. CKKS of TenSEAL has no such
    probability, but approximates: one row is one vector, which a dot product sums with
    rotations; of 64 rows each feature is a vector, which needs none, and no keys. Encoding
    is a part of its encryption, and decoding of its decryption.
    """
    X, y = breast_cancer_scaled()
    sides: dict[str, Callable[[int], dict[str, Any]]] = {"ours": Stages(X, y)}
    if setup.peer:
        names = {"name": "LogisticRegression", "n_bits": N_BITS, "p_error": P_ERROR}
        setup.ask("prepare", X=X, y=y, **names)
        setup.ask("prepare_ckks", X=X, y=y)
        for side, task in (("Concrete ML", "linear_stages"), ("TenSEAL", "ckks_stages")):
            sides[side] = partial(_asked, setup, task)
    rows: list[Row] = []
    for n_rows in (1, N_ROWS):
        for side in sides.values():
            side(n_rows)
        found = setup.alternate(*(partial(_numbers, s, y, n_rows) for s in sides.values()))
        rows += [_row(n_rows, name, f) for name, f in zip(sides, found, strict=True)]
    return rows


def _asked(setup: Setup, task: str, n_rows: int) -> dict[str, Any]:
    answer: dict[str, Any] = setup.ask(task, n_rows=n_rows)
    return answer


def _numbers(side: Any, y: np.ndarray, n_rows: int) -> dict[str, float]:
    """Return what a side measures, with how many labels are right instead of labels."""
    found = side(n_rows)
    right = int(np.sum(np.asarray(found.pop("labels")) == y[:n_rows]))
    return {**found, "total": sum(found.get(s, 0) for s in STAGES), "right": right}


def _row(n_rows: int, name: str, found: dict[str, float]) -> Row:
    """Return a row of the table: milliseconds and bytes."""
    return {
        "rows": n_rows,
        "library": name,
        **in_milliseconds(found),
        "bytes up": int(found["up"]),
        "bytes down": int(found["down"]),
        "bytes of keys": int(found["keys"]),
        "right labels": int(found["right"]),
    }
