"""Circuits on replicas of Ray Serve."""

import importlib.util
import os
import signal
import threading
import time

import numpy as np
import pytest

from fhe_estimators.deployment import Client, RemoteModel, ray_app
from tests.deployment.serving.served import ANN, Served, infer
from tools.processes import processes

has_ray = importlib.util.find_spec("ray") is not None

#: Seconds for a cluster to start.
START = 300


@pytest.mark.skipif(has_ray, reason="Ray is installed")
def test_without_ray_it_says_what_to_install(tmp_path):
    with pytest.raises(ImportError, match=r"fhe-estimators\[ray\]"):
        ray_app(tmp_path)


def replicas():
    """Return the numbers of the processes of replicas."""
    name = b"ray::ServeReplica:fhe_estimators"
    return processes(lambda command: command.startswith(name))


@pytest.fixture(scope="module")
def cluster(deployed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ray")
    options = ("--ray", "--workers", "2", "--state", str(folder / "state"))
    with Served.started(
        deployed.folder, *options, log=folder / "log", seconds=START
    ) as served:
        yield served


needs_ray = [
    pytest.mark.fhe,
    pytest.mark.nightly,
    pytest.mark.skipif(not has_ray, reason="Ray is not installed"),
]


class TestCluster:
    pytestmark = needs_ray

    @pytest.mark.parametrize("name", ["linear", "tree"])
    def test_replicas_answer(self, cluster, deployed, name):
        client = Client(deployed.folder / name / "client.zip")
        remote = RemoteModel(cluster.url, client, ANN, n_rows=3)
        expected = getattr(deployed, name).predict(deployed.X[:9])
        np.testing.assert_array_equal(remote.predict(deployed.X[:9]), expected)

    def test_limits_are_those_of_our_own_server(self, cluster, deployed):
        client = Client(deployed.folder / "tree" / "client.zip")
        request = client.encrypt(deployed.X[:1])
        with cluster.http() as http:
            assert infer(http, "tree", request).status_code == 404  # no keys were sent
            assert infer(http, "tree", request[:-1]).status_code == 400
        with cluster.http("wrong" * 5) as http:
            assert infer(http, "tree", request).status_code == 401

    def test_replicas_that_are_killed_under_load(self, cluster, deployed):
        """Every answer is right: what was lost is asked for again."""
        wrong, done, stop = [], [], threading.Event()

        def ask(name):
            client = Client(deployed.folder / name / "client.zip")
            remote = RemoteModel(cluster.url, client, ANN, n_rows=2, retries=12)
            expected = getattr(deployed, name).predict(deployed.X[:4])
            while not stop.is_set():
                found = remote.predict(deployed.X[:4])
                (done if np.array_equal(found, expected) else wrong).append(name)

        threads = [threading.Thread(target=ask, args=(n,)) for n in ("linear", "tree")]
        for thread in threads:
            thread.start()
        time.sleep(8)
        before = replicas()
        assert len(before) == 2, cluster.log.read_text()[-3000:]
        os.kill(before[0], signal.SIGKILL)
        time.sleep(15)
        stop.set()
        for thread in threads:
            thread.join()
        assert not wrong
        assert {*done} == {"linear", "tree"}
        cluster.wait_until_ready(60)
