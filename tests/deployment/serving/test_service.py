"""Faults of a server that runs: workers, keys and processes that are lost."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from fhe_estimators.deployment import Client, DeploymentError, RemoteModel
from fhe_estimators.deployment.serving._remote import fetch_client
from tests.deployment.serving.served import ANN, Served, infer, send_keys

pytestmark = [pytest.mark.fhe, pytest.mark.slow]


@pytest.fixture(scope="module")
def clients(deployed):
    """Three clients of the tree, with keys of their own."""
    found = [Client(deployed.folder / "tree" / "client.zip") for _ in range(3)]
    assert len({client.key_id for client in found}) == 3
    return found


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("server") / "state"


@pytest.fixture(scope="module")
def options(clients, state):
    space = int(2.5 * clients[0].manifest.key_bytes)
    return (
        *("--state", str(state), "--workers", "2", "--accept-seconds", "1"),
        *("--request-seconds", "10", "--tenant-bytes", str(space)),
    )


@pytest.fixture(scope="module")
def server(deployed, options, state):
    log = state.parent / "log"
    with Served.started(deployed.folder, *options, log=log) as served:
        yield served


@pytest.fixture
def http(server):
    with server.http() as http:
        yield http


@pytest.fixture
def is_right(http, deployed, clients):
    """Return a function that asks for rows, and tells whether the answer is right."""
    client, rows = clients[0], deployed.X[:2]

    def ask():
        if http.head(f"/v2/keys/{client.key_id}").status_code == 404:
            assert send_keys(http, client).status_code == 201
        request = client.encrypt(rows)
        response = infer(http, "tree", request)
        assert response.status_code == 200, response.text
        found = client.decrypt_predict(response.content, request)
        return np.array_equal(found, deployed.tree.predict(rows))

    return ask


def test_workers_have_limits_and_no_compiler(server, is_right):
    assert is_right()
    pids = server.workers()
    assert len(pids) == 2
    for pid in pids:
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
        if sys.platform == "linux":
            assert resource.prlimit(pid, resource.RLIMIT_DATA) == (4 << 30, 4 << 30)
        mapped = Path(f"/proc/{pid}/maps").read_text()
        assert "concrete" in mapped
        assert "libtorch" not in mapped
        assert ANN.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGKILL, signal.SIGSTOP])
def test_workers_that_are_lost_while_they_do_nothing(server, is_right, how):
    assert is_right()
    before = server.signal_workers(how)
    assert is_right()
    server.wait_until_ready()
    if how != signal.SIGSTOP:
        assert not {*before} & {*server.workers()}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_workers_that_are_lost_while_they_compute(
    server, http, is_right, deployed, clients, how
):
    """The request is answered after all, or there is a clean error; then all is well."""
    assert is_right()
    rows, client = deployed.X, clients[0]
    request, found = client.encrypt(rows), []
    thread = threading.Thread(target=lambda: found.append(infer(http, "tree", request)))
    thread.start()
    time.sleep(0.5)
    server.signal_workers(how)
    thread.join()
    (response,) = found
    assert response.status_code in {signal.SIGKILL: (200, 503), signal.SIGSTOP: (504,)}[how]
    if response.status_code == 200:
        labels = client.decrypt_predict(response.content, request)
        assert np.array_equal(labels, deployed.tree.predict(rows))
    else:
        assert response.json()["error"]
    server.wait_until_ready()
    assert is_right()


def test_a_request_whose_workers_are_lost_again_and_again(
    server, http, is_right, deployed, clients
):
    assert is_right()
    request, found = clients[0].encrypt(deployed.X), []
    thread = threading.Thread(target=lambda: found.append(infer(http, "tree", request)))
    thread.start()
    while thread.is_alive():
        time.sleep(0.6)
        server.signal_workers(signal.SIGKILL)
    assert (found[0].status_code, found[0].json()["kind"]) in [
        (422, "LethalRequestError"),
        (503, "NoWorkerError"),
    ]
    server.wait_until_ready()
    assert is_right()


def test_a_worker_that_runs_out_of_memory(server, http, is_right, deployed, clients):
    assert is_right()
    pids = server.workers()
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_DATA, (1 << 20, 4 << 30))
    request = clients[0].encrypt(deployed.X)
    response = infer(http, "tree", request)
    assert response.status_code in (200, 422, 500, 503)
    for pid in {*pids} & {*server.workers()}:
        os.kill(pid, signal.SIGKILL)
    assert is_right()


def test_damaged_keys_are_dropped_and_sent_again(server, http, is_right, clients, state):
    """Workers check what they read: here those that have not read it yet."""
    assert is_right()
    (path,) = state.glob(f"keys/*/*/{clients[0].key_id}")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    server.signal_workers(signal.SIGKILL)
    request = clients[0].encrypt([[5.0, 3.0, 1.5, 0.2]])
    response = infer(http, "tree", request)
    assert (response.status_code, response.json()["kind"]) == (404, "KeysMissingError")
    assert not path.exists()
    assert is_right()


def test_keys_are_evicted_by_quota_but_not_while_they_are_used(
    http, is_right, deployed, clients
):
    """There is space for two clients of three."""
    assert is_right()
    rows = np.repeat(deployed.X, 3, axis=0)[:64]
    request, found = clients[0].encrypt(rows), []
    thread = threading.Thread(target=lambda: found.append(infer(http, "tree", request)))
    thread.start()
    time.sleep(0.2)
    codes = [send_keys(http, client).status_code for client in clients[1:]]
    thread.join()
    assert codes == [201, 201]
    labels = clients[0].decrypt_predict(found[0].content, request)
    assert np.array_equal(labels, deployed.tree.predict(rows))
    kept = [http.head(f"/v2/keys/{client.key_id}").status_code for client in clients]
    assert kept == [200, 404, 200]


def test_a_remote_model_sends_keys_again_that_were_evicted(server, deployed, clients):
    models = [RemoteModel(server.url, client, ANN) for client in clients]
    expected = deployed.tree.predict(deployed.X[:2])
    for model in [*models, *models]:
        assert np.array_equal(model.predict(deployed.X[:2]), expected)


def test_remote_models_survive_lost_workers(server, deployed, clients):
    model = RemoteModel(server.url, clients[0], ANN, n_rows=2)
    stop = threading.Event()

    def disturb():
        for _ in range(2):
            server.signal_workers(signal.SIGKILL)
            if stop.wait(4):
                break

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        found = np.concatenate([model.predict(deployed.X) for _ in range(4)])
    finally:
        stop.set()
        thread.join()
    assert np.array_equal(found, np.tile(deployed.tree.predict(deployed.X), 4))


def test_one_server_at_a_time_uses_a_folder(server, deployed, options):
    command = [sys.executable, "-m", "fhe_estimators", "serve", str(deployed.folder)]
    done = subprocess.run(
        [*command, "--port", "0", *options], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "Another server uses" in done.stderr


def test_processes_end_together_and_the_next_server_has_models_and_keys(
    deployed, options, clients, tmp_path
):
    """SIGKILL of the server, then SIGTERM while it answers."""
    given = [*options, "--state", str(tmp_path / "state")]
    client = clients[0]
    expected = deployed.tree.predict(deployed.X)
    with Served.started(deployed.folder, *given, log=tmp_path / "log") as served:
        with served.http() as http:
            assert send_keys(http, client).status_code == 201
        pids = served.workers()
        served.process.kill()
        until = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            assert time.monotonic() < until
            time.sleep(0.1)
    with (
        Served.started(deployed.folder, *given, log=tmp_path / "log") as served,
        served.http() as http,
    ):
        assert http.head(f"/v2/keys/{client.key_id}").status_code == 200
        request, found = client.encrypt(deployed.X), []
        thread = threading.Thread(target=lambda: found.append(infer(http, "tree", request)))
        thread.start()
        time.sleep(0.5)
        served.process.send_signal(signal.SIGTERM)
        thread.join()
        assert found[0].status_code == 200
        assert np.array_equal(client.decrypt_predict(found[0].content, request), expected)
        assert served.process.wait(20) == 0
        with pytest.raises(DeploymentError, match="does not answer"):
            fetch_client(served.url, "tree", tmp_path / "client.zip", retries=0)
