"""Circuits of any engine: limits, prices, and pickles."""

import pickle
from dataclasses import dataclass, field

import numpy as np
import pytest

from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine import ClearEngine, Facts, Prices, run_clear
from fhe_estimators.core.graph import Graph, Node, Value

#: A table of three bits, and rows for it.
Y = Value("y", (None, 2), 0, 7)
GRAPH = Graph(
    (Node("TableLookup", ("x", "t"), ("y",), {"first": 0}),),
    (Value("x", (None, 2), 0, 7),),
    (Y,),
    {"t": np.arange(8)[::-1]},
    {"y": Y},
)
ROWS = np.arange(80).reshape(40, 2) % 8


@dataclass
class Notes:
    """How often a `FakeEngine` did what."""

    compiled: int = 0
    loaded: list = field(default_factory=list)


class FakeProgram:
    """A program with a key: an offset of ciphertexts. It is not what is saved."""

    facts = Facts(complexity=4.0, bootstraps=1)
    can_simulate = True
    n_ciphertexts = 1
    evaluation_key_bytes = 7

    def __init__(self, graph, rows):
        self.graph, self.rows, self.key = graph, rows, None

    @property
    def has_keys(self):
        return self.key is not None

    def keygen(self, *, force=False):
        if self.key is None or force:
            self.key = 1000

    def encrypt(self, *inputs):
        self.keygen()
        return tuple(array + self.key for array in inputs)

    def run(self, ciphertexts):
        clear = [array - 1000 for array in ciphertexts]
        return tuple(array + 1000 for array in run_clear(self.graph, clear))

    def decrypt(self, ciphertexts):
        return tuple(array - self.key for array in ciphertexts)

    def simulate(self, *inputs):
        return run_clear(self.graph, inputs)

    def ciphertext_bytes(self, ciphertexts):
        return 0

    def saved(self):
        return {"graph": self.graph, "rows": self.rows}


class FakeEngine:
    """An engine that shares nothing with ours but the protocol."""

    maximum_table_bits = 5
    torus_bits = 30.0

    def __init__(self):
        self.notes = Notes()

    def prices(self, p_error):
        return Prices({1: 1.0}, {1: 1.0}, operations_per_second=1.0)

    def compile(self, graph, rows, extremes, p_error):
        self.notes.compiled += 1
        return FakeProgram(graph, rows)

    def load(self, saved):
        self.notes.loaded.append(saved)
        return FakeProgram(**saved)


@pytest.mark.parametrize("make", [ClearEngine, FakeEngine])
def test_a_pickle_holds_the_programs_of_any_engine(make, monkeypatch):
    circuit = Circuit(GRAPH, engine=make())
    np.testing.assert_array_equal(circuit.encrypt_run_decrypt(ROWS), 7 - ROWS)
    saved = pickle.dumps(circuit)
    monkeypatch.setattr(make, "compile", None)  # loading compiles nothing
    loaded = pickle.loads(saved)
    np.testing.assert_array_equal(loaded.encrypt_run_decrypt(ROWS), 7 - ROWS)
    np.testing.assert_array_equal(loaded.simulate(ROWS), 7 - ROWS)
    assert loaded.complexity == circuit.complexity
    assert str(loaded) == str(circuit)


def test_what_is_loaded_has_no_key_of_the_first():
    engine = FakeEngine()
    circuit = Circuit(GRAPH, engine=engine)
    circuit.keygen()
    loaded = pickle.loads(pickle.dumps(circuit))
    programs = list(loaded._programs.values())
    assert all(program.key is None for program in programs)
    assert engine.notes.compiled == 1
    assert [saved["rows"] for saved in loaded._engine.notes.loaded] == [1]


def test_seconds_are_those_of_the_engine():
    cost = Circuit(GRAPH, engine=FakeEngine()).cost
    assert cost.complexity == 4.0
    assert 0 < cost.seconds <= 4.0
    assert cost.seconds == FakeEngine().prices(0.5).seconds(4.0, 0)
