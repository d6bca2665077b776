"""Compile, make keys, compute and simulate in any thread and any process."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from fhe_estimators import DecisionTreeClassifier, LogisticRegression, config_context
from fhe_estimators.exceptions import ForkedProcessError

LINEAR = LogisticRegression(solver="newton-cholesky")
TREE = DecisionTreeClassifier(max_depth=2, random_state=0)


def in_thread(function, *args, **kwargs):
    """Call a function in a thread that has done nothing yet."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args, **kwargs).result()


FIRST_USE = """
import sys, threading, warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", message=".*pkg_resources")
from sklearn.datasets import load_wine
from fhe_estimators import DecisionTreeClassifier, LogisticRegression
X, y = load_wine(return_X_y=True)

def use():
    for model in LogisticRegression(solver="newton-cholesky"), DecisionTreeClassifier():
        model.set_params(n_bits=3).fit(X, y).compile(X)
        expected = model.predict(X[:3])
        assert (model.predict(X[:3], fhe="simulate") == expected).all()
        done.append(model)

done = []
for _ in range(2):
    threads = [threading.Thread(target=use) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
use()
assert len(done) == 10, len(done)
"""


@pytest.mark.simulate
def test_first_use_is_in_a_thread():
    """Of the engine, in the process: two threads, two others, then the main one."""
    subprocess.run([sys.executable, "-c", FIRST_USE], check=True)


@pytest.mark.fhe
@pytest.mark.parametrize("model", [LINEAR, TREE], ids=["linear", "tree"])
def test_each_step_in_a_thread_of_its_own(wine, model):
    X, y = wine
    model = in_thread(clone(model).fit, X, y)
    expected = model.predict(X[::9])
    in_thread(model.compile, X)
    in_thread(model.fhe_circuit_.keygen)
    n_rows = len(expected) if model.fhe_circuit_.programmable_bootstrap_count == 0 else 2
    for mode, count in (("execute", 1), ("execute", n_rows), ("simulate", len(expected))):
        predicted = in_thread(model.predict, X[::9][:count], fhe=mode)
        np.testing.assert_array_equal(predicted, expected[:count])


@pytest.mark.fhe
@pytest.mark.parametrize("shared", [True, False])
def test_eight_threads(wine, shared):
    """On one model, which is compiled by whichever comes first, or on one each."""
    X, y = wine
    model = clone(LINEAR).fit(X, y)
    expected = model.predict(X)
    models = [model] * 8 if shared else [clone(LINEAR).fit(X, y) for _ in range(8)]
    tasks = [(models[place], X[place::8], place) for place in range(8)]

    def predict(model, rows, place):
        mode = "execute" if place % 2 else "simulate"
        return [model.predict(rows, fhe=mode) for _ in range(2)]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(predict, *zip(*tasks, strict=True)))
    for place, predictions in enumerate(results):
        for predicted in predictions:
            np.testing.assert_array_equal(predicted, expected[place::8])


@pytest.mark.fhe
def test_executor_of_asyncio(wine):
    X, y = wine
    model = clone(LINEAR).fit(X, y)

    async def serve():
        loop = asyncio.get_running_loop()
        call = lambda row: model.predict(X[row : row + 1], fhe="execute")  # noqa: E731
        return await asyncio.gather(
            *(loop.run_in_executor(None, call, row) for row in range(0, 170, 20))
        )

    predicted = np.concatenate(asyncio.run(serve()))
    np.testing.assert_array_equal(predicted, model.predict(X[0:170:20]))


@pytest.mark.simulate
@pytest.mark.usefixtures("own_workers")
@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("model", [LINEAR, TREE], ids=["linear", "tree"])
def test_backends_of_joblib(wine, backend, model):
    X, y = wine
    expected = cross_val_score(model, X, y, cv=3)
    with joblib.parallel_backend(backend), config_context(fhe="simulate"):
        found = cross_val_score(model, X, y, cv=3, n_jobs=2, error_score="raise")
    np.testing.assert_array_equal(found, expected)


# Processes ---------------------------------------------------------------------------


def child(task, answers):
    try:
        answers.put(task())
    except BaseException as error:
        answers.put((type(error).__name__, traceback.format_exc()))


def answer_of(context, task):
    """Return what a process answers; it must not hang."""
    answers = context.SimpleQueue()
    process = context.Process(target=child, args=(task, answers), daemon=True)
    process.start()
    process.join(100)
    assert process.exitcode == 0, process.exitcode
    return answers.get()


class Predict:
    """What a process is asked for; picklable."""

    def __init__(self, model, rows, mode, n_times=1):
        self.model, self.rows, self.mode, self.n_times = model, rows, mode, n_times

    def __call__(self):
        for _ in range(self.n_times):
            found = self.model.predict(self.rows, fhe=self.mode).tolist()
        return found


@pytest.fixture
def used(wine):
    """A linear model and a tree that have computed encrypted in this process."""
    X, y = wine
    models = [clone(model).fit(X, y) for model in (LINEAR, TREE)]
    for model in models:
        model.predict(X[:1], fhe="execute")
    return models, X


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")


@needs_fork
@pytest.mark.fhe
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_forked_child_answers_or_refuses(used):
    """The engine's threads stay in the parent, where tables were computed."""
    (linear, tree), X = used
    fork = multiprocessing.get_context("fork")
    rows = X[:2]
    for mode in ("disable", "simulate", "execute"):
        assert answer_of(fork, Predict(linear, rows, mode)) == linear.predict(rows).tolist()
    assert answer_of(fork, Predict(tree, rows, "disable")) == tree.predict(rows).tolist()
    for mode in ("simulate", "execute"):
        name, text = answer_of(fork, Predict(tree, rows, mode))
        assert name == ForkedProcessError.__name__
        assert "spawn" in text
        assert "loky" in text
    assert answer_of(fork, tree.fhe_circuit_.keygen) is None  # there are keys
    name, _ = answer_of(fork, lambda: tree.fhe_circuit_.keygen(force=True))
    assert name == "ForkedProcessError"
    np.testing.assert_array_equal(tree.predict(rows, fhe="execute"), tree.predict(rows))


FORKED_FIRST = """
import multiprocessing, warnings
warnings.simplefilter("ignore")
from sklearn.datasets import load_wine
from fhe_estimators import DecisionTreeClassifier
X, y = load_wine(return_X_y=True)
model = DecisionTreeClassifier(max_depth=2).fit(X, y)
model.compile(X)

def work():
    assert (model.predict(X[:1], fhe="execute") == model.predict(X[:1])).all()

for _ in range(2):
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(60)
    assert process.exitcode == 0
work()
"""


@needs_fork
@pytest.mark.fhe
def test_forks_before_the_first_key_compute():
    subprocess.run([sys.executable, "-c", FORKED_FIRST], check=True, timeout=100)


@needs_fork
@pytest.mark.simulate
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_forked_child_leaves_the_files_of_its_parent(wine):
    """Compiling again in a child removes what the child compiled, and nothing else."""
    X, y = wine
    model = clone(LINEAR).fit(X, y)
    model.compile(X)
    process = multiprocessing.get_context("fork").Process(target=model.compile, args=(X,))
    process.start()
    process.join(100)
    assert process.exitcode == 0
    np.testing.assert_array_equal(model.predict(X[:2], fhe="execute"), model.predict(X[:2]))


SPAWNED = """
import multiprocessing, warnings
from sklearn.datasets import load_wine
from fhe_estimators import DecisionTreeClassifier

def predict(model, X):
    return model.predict(X, fhe="execute")

if __name__ == "__main__":
    X, y = load_wine(return_X_y=True)
    model = DecisionTreeClassifier(max_depth=2).fit(X, y)
    expected = model.predict(X[:1], fhe="execute")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert (pool.apply(predict, (model, X[:1])) == expected).all()
"""


@pytest.mark.fhe
def test_spawned_child_computes_after_keys(tmp_path):
    script = tmp_path / "spawned.py"
    script.write_text(SPAWNED, encoding="utf-8")
    command = [sys.executable, "-W", "ignore", str(script)]
    subprocess.run(command, check=True, timeout=200)
