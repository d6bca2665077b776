"""Many clients with keys of their own, while workers are killed: no answer is mixed up."""

import signal
import threading
import time
from collections import Counter

import numpy as np
import pytest

from fhe_estimators.deployment import Client, DeploymentError, RemoteModel
from tests.deployment.serving.served import Served

pytestmark = [pytest.mark.fhe, pytest.mark.nightly]

N_CLIENTS, SECONDS, KILL_EVERY = 16, 60, 10
TOKENS = [f"tenant-{number}-of-many" for number in range(N_CLIENTS)]


def test_all_answers_are_right_or_clean_errors(deployed, tmp_path):
    rows = deployed.X
    names = ["linear" if number % 2 else "tree" for number in range(N_CLIENTS)]
    expected = {name: getattr(deployed, name).predict(rows) for name in set(names)}
    found, stop = Counter(), threading.Event()
    options = ("--state", str(tmp_path / "state"), "--workers", "2")
    with Served.started(
        deployed.folder,
        *options,
        tokens=TOKENS,
        log=tmp_path / "log",
    ) as served:

        def work(number, name, token):
            random = np.random.default_rng(number)
            client = Client(deployed.folder / name / "client.zip")
            model = RemoteModel(served.url, client, token, n_rows=2)
            while not stop.is_set():
                places = random.integers(len(rows), size=random.integers(1, 5))
                try:
                    labels = model.predict(rows[places])
                except DeploymentError as error:
                    found[type(error).__name__] += 1
                    continue
                is_right = np.array_equal(labels, expected[name][places])
                found["right" if is_right else "WRONG"] += 1

        threads = [
            threading.Thread(target=work, args=(number, name, token))
            for number, (name, token) in enumerate(zip(names, TOKENS, strict=True))
        ]
        for thread in threads:
            thread.start()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            time.sleep(KILL_EVERY)
            served.signal_workers(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
        served.wait_until_ready()
        assert found["WRONG"] == 0
        assert found["right"] > 100
        # Every one of them was sent again.
        assert found.keys() <= {"right", "WRONG"}, found
        with served.http(TOKENS[0]) as http:
            assert http.get("/v2/models/tree").status_code == 200
        print(dict(found))
