"""Rows that are computed by the workers of joblib: all, in order, without secrets."""

import os
import pickle
import signal
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config, register_parallel_backend
from joblib.parallel import BACKENDS, ThreadingBackend

from fhe_estimators.core.circuit import Circuit, _processes
from fhe_estimators.core.engine import ClearEngine
from fhe_estimators.core.graph import Graph, Node, Value
from tests.test_secrets import forms_of, secret_of
from tools.processes import command_of

TABLE = np.random.default_rng(0).integers(0, 8, 8)
WEIGHTS = np.random.default_rng(1).integers(-8, 8, (6, 2))


def looked_up():
    """A table of three bits for each of two elements."""
    y = Value("y", (None, 2), 0, 7)
    node = Node("TableLookup", ("x", "t"), ("y",), {"first": 0})
    return Graph((node,), (Value("x", (None, 2), 0, 7),), (y,), {"t": TABLE}, {"y": y})


def product(selected=False):
    """A product with all elements of a row, or with every other one."""
    y = Value("y", (None, 2), -8 * 7 * 6, 7 * 7 * 6)
    x, matmul = Value("x", (None, 6), 0, 7), Node("MatMul", ("x", "w"), ("y",), {})
    if not selected:
        return Graph((matmul,), (x,), (y,), {"w": WEIGHTS}, {"y": y})
    half = Value("half", (None, 3), 0, 7)
    nodes = (
        Node("Gather", ("x", "i"), ("half",), {"axis": 1}),
        Node("MatMul", ("half", "w"), ("y",), {}),
    )
    constants = {"i": np.arange(0, 6, 2), "w": WEIGHTS[::2]}
    return Graph(nodes, (x,), (y,), constants, {"half": half, "y": y})


def rows_of(circuit, count):
    size = circuit.graph.inputs[0].shape[1]
    return np.random.default_rng(2).integers(0, 8, (count, size))


def workers():
    """Return the numbers of the processes of loky."""
    children = [
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]
    return [pid for pid in children if b"LokyProcess" in command_of(pid)]


class RecordingBackend(ThreadingBackend):
    """Looks like processes, and keeps what these would be sent."""

    uses_threads = supports_sharedmem = False
    sent: list

    def submit(self, func, callback=None):
        type(self).sent.append([pickle.dumps(item) for item in func.items])
        return super().submit(func, callback)


@pytest.fixture
def recording():
    RecordingBackend.sent = []
    register_parallel_backend("recording", RecordingBackend)
    yield RecordingBackend.sent
    del BACKENDS["recording"]


def test_only_processes_that_do_not_fork_are_asked():
    assert _processes.processes() == 0
    for backend, n_jobs, expected in [
        ("loky", 2, 2),
        ("loky", 1, 0),
        ("loky", None, 0),
        ("threading", 2, 0),
        ("multiprocessing", 2, 0),
    ]:
        with parallel_config(backend, n_jobs=n_jobs):
            assert _processes.processes() == expected, backend


@pytest.mark.parametrize("n_rows", [0, 1, 2, 7, 40])
def test_results_are_in_order(n_rows, recording):
    circuit = Circuit(product(), engine=ClearEngine())
    rows = rows_of(circuit, n_rows)
    with parallel_config("recording", n_jobs=2):
        found = circuit.encrypt_run_decrypt(rows)
    np.testing.assert_array_equal(found, rows @ WEIGHTS)
    assert bool(recording) == (n_rows > circuit._plan(n_rows).capacity)


@pytest.mark.usefixtures("own_workers")
def test_processes_of_loky_compute():
    circuit = Circuit(looked_up(), engine=ClearEngine())
    rows = rows_of(circuit, 100)
    with parallel_config("loky", n_jobs=2):
        np.testing.assert_array_equal(circuit.encrypt_run_decrypt(rows), TABLE[rows])


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
@pytest.mark.usefixtures("own_workers")
def test_rows_of_a_lost_worker_are_computed_again():
    circuit = Circuit(looked_up(), engine=ClearEngine())
    program = circuit._programs[circuit._single]
    rows, asked = rows_of(circuit, 200), []

    def messages_of(number):
        asked.append(number)
        if asked.count(number) == 1 and number in (60, 150):
            os.kill(workers()[0], signal.SIGKILL)
        return program.written(program.encrypt(rows[number : number + 1]))

    with parallel_config("loky", n_jobs=2):
        answers = list(_processes.computed(program.part(), len(rows), messages_of, 2))
    found = np.concatenate([program.read(answer)[0] for answer in answers])
    np.testing.assert_array_equal(found, TABLE[rows])
    assert len(asked) > len(rows)


def test_workers_that_are_lost_again_and_again_are_an_error(monkeypatch):
    tries = []

    class Broken:
        def __init__(self, **_):
            tries.append(1)

        def __call__(self, calls):
            raise BrokenProcessPool("gone")

    monkeypatch.setattr(_processes, "Parallel", Broken)
    program = Circuit(looked_up(), engine=ClearEngine())._programs
    (program,) = program.values()
    with parallel_config("loky", n_jobs=2), pytest.raises(BrokenProcessPool):
        list(_processes.computed(program.part(), 10, lambda number: [b""], 2))
    assert len(tries) == 4


@pytest.mark.fhe
@pytest.mark.usefixtures("own_workers")
@pytest.mark.parametrize("selected", [False, True])
def test_encrypted_products_come_back_from_processes(selected):
    circuit = Circuit(product(selected), p_error=2**-40)
    rows = rows_of(circuit, 70)
    expected = rows[:, ::2] @ WEIGHTS[::2] if selected else rows @ WEIGHTS
    with parallel_config("loky", n_jobs=2):
        np.testing.assert_array_equal(circuit.encrypt_run_decrypt(rows), expected)


@pytest.mark.fhe
@pytest.mark.usefixtures("own_workers")
def test_encrypted_tables_come_back_from_processes():
    circuit = Circuit(looked_up(), p_error=2**-40)
    rows = rows_of(circuit, 4)
    with parallel_config("loky", n_jobs=2):
        np.testing.assert_array_equal(circuit.encrypt_run_decrypt(rows), TABLE[rows])


@pytest.mark.fhe
def test_workers_get_evaluation_keys_and_no_secret(recording):
    circuit = Circuit(looked_up(), p_error=2**-40)
    rows = np.array([[5, 6], [7, 3], [6, 7]])
    with parallel_config("recording", n_jobs=2):
        np.testing.assert_array_equal(circuit.encrypt_run_decrypt(rows), TABLE[rows])
    (program,) = circuit._programs.values()
    sent = b"".join(item for items in recording for item in items)
    assert program._client.evaluation_keys.serialize() in sent
    secret = secret_of(program)
    assert secret in program._client.keys.serialize()
    for form in forms_of(secret):
        assert form not in sent
    for row in rows:
        assert row.tobytes() not in sent
