"""Rows on a cluster of Ray."""

import os
import signal
import threading

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.datasets import load_iris

from fhe_estimators import DecisionTreeClassifier
from tools.processes import processes

ray = pytest.importorskip("ray")

pytestmark = [
    pytest.mark.fhe,
    pytest.mark.nightly,
    # Its pool says that it takes no context, and its processes end with the cluster.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def cluster():
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False)
    register_ray()
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def tree():
    X, y = load_iris(return_X_y=True)
    return DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y), X[::3]


def test_encrypted_rows_come_back_in_order(cluster, tree):
    model, rows = tree
    with parallel_config("ray", n_jobs=2):
        found = model.predict(rows, fhe="execute")
    np.testing.assert_array_equal(found, model.predict(rows))


def kill_one(killed):
    """End the process of a worker that computes, and add its number to `killed`."""
    for pid in processes(lambda command: command.startswith(b"ray::PoolActor."))[:1]:
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)


def test_rows_of_a_lost_worker_are_computed_again(cluster, tree):
    model, rows = tree
    rows = np.tile(rows, (6, 1))
    killed = []
    killer = threading.Timer(15, kill_one, [killed])
    killer.start()
    with parallel_config("ray", n_jobs=2):
        found = model.predict(rows, fhe="execute")
    killer.join()
    assert killed
    np.testing.assert_array_equal(found, model.predict(rows))
