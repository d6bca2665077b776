"""What a server in another process answers, on loopback."""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.costs import P_ERROR
from benchmarks.data import breast_cancer
from benchmarks.report import Row, at_most
from benchmarks.tools import Setup, progress, seconds
from fhe_estimators import (
    GradientBoostingClassifier,
    LogisticRegression,
    RandomForestClassifier,
)
from fhe_estimators.deployment import Client, RemoteModel, save_deployment
from fhe_estimators.deployment.serving._demo import serving as server_of
from tools.processes import processes

MODELS = {
    "linear": LogisticRegression(solver="newton-cholesky"),
    "boosting-10x3": GradientBoostingClassifier(
        n_estimators=10, max_depth=3, random_state=0
    ),
    "forest-10x4": RandomForestClassifier(10, max_depth=4, random_state=0),
}
#: What the peer has in their place, and its parameters.
PEERS: dict[str, tuple[str, dict[str, int]]] = {
    "linear": ("LogisticRegression", {}),
    "boosting-10x3": ("XGBClassifier", {"n_estimators": 10, "max_depth": 3}),
    "forest-10x4": ("RandomForestClassifier", {"n_estimators": 10, "max_depth": 4}),
}
CLIENTS = (1, 4, 16)
MB = 1e6


class Asker:
    """A client with keys of its own, that sends the same request again and again."""

    def __init__(self, url: str, name: str, path: Path, row: np.ndarray) -> None:
        self.http = httpx.Client(base_url=url, timeout=300, trust_env=False)
        self.client = Client(path)
        self.request = self.client.encrypt(row)
        self._path = f"/v2/models/{name}/infer"

    def send_keys(self) -> float:
        """Return how long sending them took."""
        keys = self.client.evaluation_keys
        if not keys:
            return 0.0
        return seconds(
            lambda: self.http.put(f"/v2/keys/{self.client.key_id}", content=keys)
        )

    def ask(self) -> float:
        """Return how long an answer took; one that is refused is asked for again."""
        start = time.perf_counter()
        while True:
            response = self.http.post(self._path, content=self.request)
            if response.status_code == 200:
                return time.perf_counter() - start
            assert response.status_code in (429, 503), response.text
            time.sleep(0.01)

    def asked(self, until: float) -> Iterator[float]:
        while time.perf_counter() < until:
            yield self.ask()


def _load(askers: list[Asker], duration: float) -> Row:
    """Return what all of them get in some time."""
    with ThreadPoolExecutor(len(askers)) as threads:
        start = time.perf_counter()
        until = start + duration
        times = list(threads.map(lambda asker: list(asker.asked(until)), askers))
        taken = time.perf_counter() - start
    flat = sorted(t for some in times for t in some)
    return {
        "clients": len(askers),
        "requests/s": len(flat) / taken,
        "p50 ms": statistics.median(flat) * 1e3,
        "p99 ms": flat[min(len(flat) - 1, int(0.99 * len(flat)))] * 1e3,
    }


def _workers(state: Path) -> list[int]:
    """Return the numbers of the worker processes."""
    return processes(
        lambda command: b"serving._work" in command and str(state).encode() in command
    )


def _resident(state: Path) -> float:
    """Return the MB of memory of all workers together."""
    texts = [Path(f"/proc/{pid}/statm").read_text() for pid in _workers(state)]
    return sum(int(text.split()[1]) for text in texts) * os.sysconf("SC_PAGE_SIZE") / MB


def _recovery(asker: Asker, state: Path) -> float:
    """Return how long the next answer takes after all workers were killed."""
    for pid in _workers(state):
        os.kill(pid, signal.SIGKILL)
    return asker.ask()


def _measured(
    name: str, model: Any, url: str, folder: Path, state: Path, setup: Setup
) -> Iterator[Row]:
    X, y = breast_cancer()
    path, row = folder / name / "client.zip", X[:1]
    askers = [Asker(url, name, path, row) for _ in range(max(CLIENTS))]
    upload = statistics.median(asker.send_keys() for asker in askers)
    cold, warm = askers[0].ask(), statistics.median(askers[0].ask() for _ in range(5))
    before = _resident(state)
    for asker in askers[1:]:
        asker.ask()
    of_keys = (_resident(state) - before) / (len(askers) - 1)
    on_disk = sum(file.stat().st_size for file in state.glob("keys/*/*/*"))
    for count in CLIENTS:
        for asker in askers[:count]:
            asker.ask()
        yield {"model": name, **_load(askers[:count], setup.repeat)}
    remote = RemoteModel(url, askers[0].client)
    model.predict(row, fhe="execute")
    over_http, here = setup.alternate(
        lambda: seconds(lambda: remote.predict(row), 5),
        lambda: seconds(lambda: model.predict(row, fhe="execute"), 5),
    )
    overhead = (over_http - here) * 1e3
    size = len(askers[0].client.evaluation_keys)
    yield {
        "model": name,
        "MB of keys": size / MB,
        "s to send them": upload,
        "MB on disk, all clients": on_disk / MB,
        "MB of memory a key": of_keys if size else 0.0,
        "ms cold key": cold * 1e3,
        "ms warm": warm * 1e3,
        "s after SIGKILL": _recovery(askers[0], state),
        "ms over execute": overhead,
        "goal": None if size else at_most(15, overhead, " ms"),
    }
    peer_name, parameters = PEERS[name]
    theirs = setup.ask(
        "served", X=X, y=y, name=peer_name, parameters=parameters, p_error=P_ERROR
    )
    if theirs is not None:
        yield {
            "model": name,
            "peer, ms in one process": theirs["ms"],
            "its MB of keys": theirs["keys"] / MB,
        }
    for asker in askers:
        asker.http.delete(f"/v2/keys/{asker.client.key_id}")
        asker.http.close()


def serving(setup: Setup) -> list[Row]:
    """Requests of one row: how many a second, how long each, and what keys cost."""
    X, y = breast_cancer()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder, state = Path(temporary) / "models", Path(temporary) / "state"
        models = {name: model.fit(X, y) for name, model in MODELS.items()}
        for name, model in models.items():
            save_deployment(model, folder / name, name=name)
        options = ("--state", str(state), "--concurrent", str(max(CLIENTS)))
        with server_of(folder, *options) as url:
            for name, model in models.items():
                progress(name)
                rows += _measured(name, model, url, folder, state, setup)
    return rows
