"""What one encrypted row costs a fitted model, and whether rows are exact."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.report import Row
from benchmarks.tools import Clock, in_milliseconds, median, seconds
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.quantization import QuantizedModule

P_ERROR = 2**-40


class Encrypted:
    """A model of ours that is fitted and compiled and has keys."""

    #: Rows of which the median is taken.
    _TIMES = 3

    def __init__(self, model: Any, X: np.ndarray, y: np.ndarray) -> None:
        self.model, self._row = model.fit(X, y), X[:1]
        compiling = seconds(self.model.compile)
        self.circuit = self.model.fhe_circuit
        self.facts = {
            "compile": compiling,
            "keygen": seconds(self.circuit.keygen),
            "keys": self.circuit.evaluation_key_bytes,
            "tables": self.circuit.programmable_bootstrap_count,
        }
        # The first call also brings the keys into place.
        self._once()

    def one_row(self) -> dict[str, float]:
        """Predict a row; return seconds of each stage and in all, and bytes up and down."""
        taken: dict[str, float] = median([self._once() for _ in range(self._TIMES)])
        return taken

    def _once(self) -> dict[str, float]:
        circuit, clock = self.circuit, Clock()
        integers = clock("encode", lambda: self.model.quantize_input(self._row))
        sent = clock("encrypt", lambda: circuit.encrypt(integers))
        results = clock("operate", lambda: circuit.run(sent))
        found = clock("decrypt", lambda: circuit.decrypt(results))
        clock("decode", lambda: self.model.dequantize_output(*found))
        return {
            **clock.taken,
            "total": sum(clock.taken.values()),
            "up": circuit.ciphertext_bytes(sent),
            "down": circuit.ciphertext_bytes(results),
        }


def costs(
    about: Row, facts: dict[str, Any], taken: dict[str, Any], ours: Any = None
) -> Row:
    """Return a row of costs, with ratios of what the server takes, and of all, to `ours`.

    Parameters
    ----------
    about : Row
        What the row begins with.
    facts : dict
        As `Encrypted.facts`.
    taken : dict
        As `Encrypted.one_row` returns.
    ours : dict, optional
        The same of our side.
    """
    return {
        **about,
        **in_milliseconds(taken),
        "ratio": taken["operate"] / ours["operate"] if ours else None,
        "total ratio": taken["total"] / ours["total"] if ours else None,
        "tables": facts["tables"],
        "bytes up": int(taken["up"]),
        "bytes down": int(taken["down"]),
        "keys (MB)": facts["keys"] / 1e6,
        "keygen (s)": facts["keygen"],
        "compile (s)": facts["compile"],
    }


def exactness(module: QuantizedModule, X: np.ndarray, *, labels: bool = False) -> Row:
    """Predict encrypted rows and return how many give the integers computed in clear.

    With `labels`, also how many have their largest score in the same place.
    """
    circuit: Circuit = module.fhe_circuit
    integers = module.quantize_input(X)
    clear = module.quantized_forward(integers)
    found: list[np.ndarray] = []
    taken = seconds(lambda: found.append(circuit.encrypt_run_decrypt(integers)))
    row: Row = {
        "tables": circuit.programmable_bootstrap_count,
        "seconds a row": taken / len(clear),
        "rows": len(clear),
        "equal": int(np.all(found[0] == clear, axis=1).sum()),
    }
    if labels:
        there, here = (module.dequantize_output(q).argmax(axis=1) for q in (*found, clear))
        row["same label"] = int(np.sum(there == here))
    return row
