"""Rows, searches and cross-validation on a cluster of Dask."""

import os
import signal
import sys
import threading

import cloudpickle
import numpy as np
import pytest
from joblib import parallel_config
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score

from fhe_estimators import DecisionTreeClassifier, LogisticRegression, config_context

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.slow,
    # Servers of the cluster end with its event loop.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def cluster():
    """Two workers, in processes of their own."""
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            # Any free port: several runs of tests may have one each.
            dashboard_address=":0",
            host="127.0.0.1",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def sent_by_value():
    """Send this module's functions to workers, which cannot import it."""
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.mark.fhe
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(solver="newton-cholesky"),
        DecisionTreeClassifier(max_depth=3, random_state=0),
    ],
    ids=["linear", "tree"],
)
def test_encrypted_rows_come_back_in_order(cluster, iris, model):
    X, y = iris
    model.fit(X, y)
    rows = X[::6]
    with parallel_config("dask"):
        found = model.predict(rows, fhe="execute")
    np.testing.assert_array_equal(found, model.predict(rows))


def held(dask_worker):
    """Return how many programs a worker has loaded."""
    from fhe_estimators.core.circuit import _processes

    return _processes._ready.cache_info().misses


@pytest.mark.fhe
def test_keys_are_loaded_once_a_worker(cluster, iris):
    X, y = iris
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    before = cluster.run(held)
    for _ in range(2):
        with parallel_config("dask"):
            model.predict(X[::30], fhe="execute")
    after = cluster.run(held)
    loads = {worker: after[worker] - before[worker] for worker in after}
    assert set(loads.values()) <= {0, 1}, loads
    assert sum(loads.values()) >= 1


@pytest.mark.fhe
def test_rows_of_a_lost_worker_are_computed_again(cluster, iris):
    X, y = iris
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    model.predict(X[:1], fhe="execute")
    pids = cluster.run(os.getpid)
    killer = threading.Timer(1.5, os.kill, (next(iter(pids.values())), signal.SIGKILL))
    killer.start()
    rows = X[::5]
    with parallel_config("dask"):
        found = model.predict(rows, fhe="execute")
    killer.join()
    np.testing.assert_array_equal(found, model.predict(rows))
    cluster.wait_for_workers(2, timeout=60)


@pytest.mark.simulate
def test_searches_and_validation_in_simulation(cluster, iris):
    X, y = iris
    search = GridSearchCV(
        LogisticRegression(solver="newton-cholesky"),
        {"n_bits": [2, 6]},
        cv=2,
        error_score="raise",
    )
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    with config_context(fhe="simulate"), parallel_config("dask"):
        search.fit(X, y)
        scores = cross_val_score(tree, X, y, cv=2, error_score="raise")
    assert search.best_params_ == {"n_bits": 6}
    np.testing.assert_array_equal(scores, cross_val_score(tree, X, y, cv=2))
