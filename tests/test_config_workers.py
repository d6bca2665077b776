"""The mode reaches threads and worker processes, and ends with its context."""

import os
import pickle
import signal
import subprocess
import sys
import tempfile

import cloudpickle
import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fhe_estimators import LogisticRegression, config_context
from fhe_estimators._config import current_mode


@pytest.fixture(scope="module")
def split(wine):
    X, y = wine
    return train_test_split(X, np.array(["a", "b", "c"])[y], random_state=0)


class TellsMode(ClassifierMixin, BaseEstimator):
    """Fits a clone of an estimator and scores the mode that it would predict in."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y):
        self.estimator_ = clone(self.estimator).fit(X, y)
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X):
        return self.estimator_.predict(X)

    def score(self, X, y):
        return ("disable", "simulate", "execute").index(current_mode())


@pytest.fixture
def sent_by_value():
    """Send this module's classes to workers, which cannot import it."""
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


@pytest.mark.simulate
@pytest.mark.usefixtures("sent_by_value")
@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.usefixtures("own_workers")
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_cross_validation_takes_the_mode_to_its_workers(split, n_jobs, backend):
    """No worker computes in clear what was asked for encrypted, and none stays so."""
    X, _, y, _ = split
    pipe = make_pipeline(StandardScaler(), TellsMode(LogisticRegression()))
    with joblib.parallel_backend(backend):
        for mode, expected in (("simulate", 1), ("disable", 0), ("execute", 2)):
            with config_context(fhe=mode):
                scores = cross_val_score(pipe, X, y, cv=3, n_jobs=n_jobs)
            np.testing.assert_array_equal(scores, expected)
        np.testing.assert_array_equal(cross_val_score(pipe, X, y, cv=3, n_jobs=n_jobs), 0)
    assert current_mode() == "disable"


def test_mode_of_a_pickle_from_a_file(tmp_path, split):
    """A file that was written inside a context imposes nothing on who reads it."""
    X, _, y, _ = split
    model = LogisticRegression(solver="newton-cholesky").fit(X, y)
    with config_context(fhe="execute"):
        joblib.dump(model, tmp_path / "model.joblib")
    assert os.getppid() != os.getpid()
    loaded = joblib.load(tmp_path / "model.joblib")
    assert current_mode() == "disable"
    assert vars(loaded).keys() == vars(model).keys()


def mode_after_loading(path):
    loaded = joblib.load(path)
    return current_mode() if loaded is not None else None


@pytest.mark.usefixtures("sent_by_value", "own_workers")
def test_mode_of_a_file_ends_with_the_context(tmp_path):
    """Even for worker processes, whose parent the writer is."""
    path = tmp_path / "model.joblib"
    call = joblib.delayed(mode_after_loading)
    with config_context(fhe="execute"):
        joblib.dump(LogisticRegression(), path)
        assert joblib.Parallel(n_jobs=2)([call(path)] * 2) == ["execute"] * 2
    assert joblib.Parallel(n_jobs=2)([call(path)] * 2) == ["disable"] * 2


WRITER = """
import os, pickle, sys
os.getpid = lambda: 1
from fhe_estimators import LogisticRegression, config_context
with config_context(fhe="execute"):
    with open(sys.argv[1], "wb") as file:
        pickle.dump(LogisticRegression(), file)
    if sys.argv[2] == "killed":
        os.kill(int(os.readlink("/proc/self")), 9)
"""

READER = """
import os, pickle, sys
os.getppid = lambda: 1
from fhe_estimators._config import current_mode
with open(sys.argv[1], "rb") as file:
    model = pickle.load(file)
assert current_mode() == "disable", current_mode()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads its number from /proc")
@pytest.mark.parametrize("end", ["leaves", "killed"])
def test_mode_does_not_reach_another_container(tmp_path, end):
    """There, the parent has the writer's number too: 1, in every container."""
    path = str(tmp_path / "model.pickle")
    command = [sys.executable, "-c", WRITER, path, end]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # a lease of the killed stays
    writer = subprocess.run(command, env=environment, check=False)
    assert writer.returncode == (0 if end == "leaves" else -signal.SIGKILL)
    subprocess.run([sys.executable, "-c", READER, path], check=True)


def test_lease_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with config_context(fhe="simulate"):
        assert not list(tmp_path.iterdir())
        for _ in range(3):
            pickle.dumps(LogisticRegression())
        assert len(list(tmp_path.iterdir())) == 1
    assert not list(tmp_path.iterdir())
