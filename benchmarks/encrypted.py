"""What prediction on encrypted rows costs."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.costs import P_ERROR
from benchmarks.data import breast_cancer_scaled
from benchmarks.report import Row, at_least
from benchmarks.tools import Setup, against, peak_memory, seconds
from fhe_estimators import CompilationError, LogisticRegression

N_ROWS = 64
N_BITS = 8


class Encrypted:
    """A fitted model, compiled, with keys: what it is asked for is prediction alone."""

    def __init__(self, n_bits: int = N_BITS, p_error: float = P_ERROR) -> None:
        self.X, self.y = breast_cancer_scaled()
        self.model = LogisticRegression(n_bits=n_bits, p_error=p_error).fit(self.X, self.y)
        self.circuit = self.model.compile()
        for n_rows in (1, N_ROWS):
            self.labels(n_rows)

    def labels(self, n_rows: int, fhe: str = "execute") -> np.ndarray:
        predicted: np.ndarray = self.model.predict(self.X[:n_rows], fhe=fhe)
        return predicted

    def seconds(self, n_rows: int) -> float:
        return seconds(partial(self.labels, n_rows))


class Call:
    """One call of the program that serves a number of rows, step by step."""

    def __init__(self, encrypted: Encrypted, n_rows: int) -> None:
        plan = encrypted.circuit._plan(n_rows)
        self.program = encrypted.circuit._program(plan)
        #: Rows in one ciphertext, and in one call.
        self.slots = plan.packing.slots if plan.packing else 1
        self.capacity = plan.capacity
        self.integers = plan.pack(
            encrypted.model.quantize_input(encrypted.X[: self.capacity])
        )
        self.sent = self.program.encrypt(self.integers)
        self.results = self.program.run(self.sent)

    def split(self) -> dict[str, float]:
        """Return the seconds of each step."""
        program = self.program
        return {
            "encrypt": seconds(lambda: program.encrypt(self.integers), 5),
            "run": seconds(lambda: program.run(self.sent), 5),
            "decrypt": seconds(lambda: program.decrypt(self.results), 5),
        }

    def sizes(self) -> dict[str, float]:
        """Return bytes on the wire for one row, bytes of keys, and the dimension.

        Without tables, the optimizer's complexity is the dimension of the ciphertexts.
        """
        count = self.program.ciphertext_bytes
        return {
            "up": count(self.sent) / self.capacity,
            "down": count(self.results) / self.capacity,
            "keys": self.program.evaluation_key_bytes,
            "dimension": self.program.facts.complexity,
        }


def linear_batch(setup: Setup) -> list[Row]:
    """Logistic regression of 30 features at 8 bits, end to end and in parts."""
    ours = Encrypted()
    setup.ask(
        "prepare",
        X=ours.X,
        y=ours.y,
        name="LogisticRegression",
        n_bits=N_BITS,
        p_error=P_ERROR,
    )
    rows = []
    for n_rows, goal in ((N_ROWS, partial(at_least, 3, unit="x")), (1, None)):
        here, there = setup.alternate(
            partial(ours.seconds, n_rows), partial(setup.ask, "execute", n_rows=n_rows)
        )
        rows.append(against(f"end to end, n={n_rows}", "s", here, there, goal))
    memory = against("peak memory", "bytes", peak_memory(), setup.ask("peak_memory"))
    peer_sizes = setup.ask("sizes")
    # The peer makes one call a row however many there are.
    for n_rows in (N_ROWS, 1):
        call = Call(ours, n_rows)
        where = f"a row, n={n_rows}"
        split, peer_split = setup.alternate(call.split, partial(setup.ask, "split"))
        for step, taken in split.items():
            theirs = peer_split and peer_split[step] * 1e3
            rows.append(
                against(f"{step} {where}", "ms", taken * 1e3 / call.capacity, theirs)
            )
        sizes = call.sizes()
        for key, what, unit in (
            ("up", f"sent {where}", "bytes"),
            ("down", f"received {where}", "bytes"),
            ("keys", f"evaluation keys, n={n_rows}", "bytes"),
            ("dimension", f"dimension, n={n_rows}", ""),
        ):
            rows.append(against(what, unit, sizes[key], peer_sizes and peer_sizes[key]))
        rows.append({"what": f"rows a call, n={n_rows}", "ours": call.capacity, "peer": 1})
    right = np.sum(ours.labels(N_ROWS) == ours.labels(N_ROWS, "disable"))
    return [
        *rows,
        memory,
        {
            "what": f"labels as in clear, n={N_ROWS}",
            "ours": int(right),
            "peer": setup.ask("labels_as_in_clear", n_rows=N_ROWS),
        },
    ]


def _cost(setup: Setup, n_bits: int, p_error: float) -> list[Row]:
    """Return a row of costs for one row and one for many."""
    try:
        ours = Encrypted(n_bits, p_error)
    except CompilationError:
        return [{"n": n_rows, "note": "no parameters"} for n_rows in (1, N_ROWS)]
    rows = []
    for n_rows in (1, N_ROWS):
        (taken,) = setup.alternate(partial(ours.seconds, n_rows))
        call = Call(ours, n_rows)
        sizes = call.sizes()
        rows.append(
            {
                "n": n_rows,
                "seconds": taken,
                "ms a row": taken * 1e3 / n_rows,
                "rows a ciphertext": call.slots,
                "dimension": sizes["dimension"],
                "bytes sent a row": sizes["up"],
                "bytes received a row": sizes["down"],
                "bits of results": ours.circuit.maximum_bit_width,
            }
        )
    return rows


def p_error(setup: Setup) -> list[Row]:
    """Cost of a smaller probability of error."""
    return [
        {"p_error": f"2**-{power}", **row}
        for power in (40, 64, 128)
        for row in _cost(setup, N_BITS, 2.0**-power)
    ]


def bits(setup: Setup) -> list[Row]:
    """Cost of more bits."""
    return [
        {"n_bits": n_bits, **row}
        for n_bits in (2, 4, 6, 8, 10, 12, 16)
        for row in _cost(setup, n_bits, P_ERROR)
    ]
