"""Estimators inside of what scikit-learn builds from estimators."""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import warnings

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_predict,
    cross_val_score,
    train_test_split,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_info

from fhe_estimators import (
    LinearDiscriminantAnalysis,
    LinearSVC,
    LogisticRegression,
    NearestCentroid,
    Ridge,
    SGDClassifier,
    config_context,
)
from fhe_estimators._config import current_mode


@pytest.fixture(scope="module")
def split(wine):
    X, y = wine
    return train_test_split(X, np.array(["a", "b", "c"])[y], random_state=0)


@pytest.mark.fhe
def test_pipeline(split):
    """`fhe=` goes through a pipeline; labels are strings."""
    X, X_test, y, y_test = split
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    clear = pipe.predict(X_test)
    assert accuracy_score(y_test, clear) > 0.9
    np.testing.assert_array_equal(pipe.predict(X_test, fhe="execute"), clear)
    np.testing.assert_array_equal(
        pipe.predict_proba(X_test, fhe="execute"), pipe.predict_proba(X_test)
    )
    with config_context(fhe="execute"):
        assert pipe.score(X_test[:9], y_test[:9]) == np.mean(clear[:9] == y_test[:9])


@pytest.mark.simulate
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_grid_search_over_bits(split, n_jobs):
    X, X_test, y, y_test = split
    pipe = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())])
    grid = {"clf__n_bits": [2, 6], "clf__C": [0.1, 1.0]}
    search = GridSearchCV(pipe, grid, cv=3, n_jobs=n_jobs).fit(X, y)
    assert search.best_params_["clf__n_bits"] in (2, 6)
    assert search.score(X_test, y_test) > 0.85
    clear = search.predict(X_test)
    with config_context(fhe="simulate"):
        np.testing.assert_array_equal(search.predict(X_test), clear)


def test_grid_search_over_a_dict_of_bits(split):
    X, _, y, _ = split
    grid = {"n_bits": [{"op_inputs": 3, "op_weights": 8}, 8]}
    search = GridSearchCV(LogisticRegression(solver="newton-cholesky"), grid, cv=3)
    assert search.fit(X, y).best_score_ > 0.8


def test_halving_grid_search(split):
    X, _, y, _ = split
    search = HalvingGridSearchCV(
        make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()),
        {"lineardiscriminantanalysis__n_bits": [3, 5, 8]},
        n_jobs=2,
        cv=3,
        random_state=0,
    )
    assert search.fit(X, y).best_score_ > 0.7


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


@pytest.mark.simulate
def test_cross_val_score_simulated_is_clear(split):
    X, _, y, _ = split
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    clear = cross_val_score(pipe, X, y, cv=3)
    with config_context(fhe="simulate"):
        np.testing.assert_array_equal(cross_val_score(pipe, X, y, cv=3), clear)
        np.testing.assert_array_equal(
            cross_val_score(pipe, X, y, cv=3, scoring=make_scorer(accuracy_score)), clear
        )


@pytest.mark.fhe
def test_calibration(split):
    X, X_test, y, _ = split
    model = CalibratedClassifierCV(LinearSVC(), cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # liblinear on unscaled data
        model.fit(X, y)
    clear = model.predict_proba(X_test[:5])
    with config_context(fhe="execute"):
        np.testing.assert_array_equal(model.predict_proba(X_test[:5]), clear)


@pytest.mark.fhe
@pytest.mark.parametrize("ensemble", [VotingClassifier, StackingClassifier])
def test_ensembles(split, ensemble):
    X, X_test, y, y_test = split
    members = [
        ("lr", LogisticRegression(solver="newton-cholesky")),
        ("lda", LinearDiscriminantAnalysis()),
        ("nc", NearestCentroid()),
    ]
    options = {} if ensemble is VotingClassifier else {"cv": 2}
    model = ensemble(members, **options)
    if ensemble is StackingClassifier:
        model.set_params(final_estimator=LogisticRegression(solver="newton-cholesky"))
    model.fit(X, y)
    assert model.score(X_test, y_test) > 0.8
    clear = model.predict(X_test[:4])
    with config_context(fhe="execute"):
        np.testing.assert_array_equal(model.predict(X_test[:4]), clear)


@pytest.mark.simulate
def test_voting_regressor_and_multi_output(diabetes, wine):
    X, y = diabetes
    model = VotingRegressor([("a", Ridge()), ("b", Ridge(alpha=10.0, n_bits=6))]).fit(X, y)
    clear = model.predict(X[:5])
    with config_context(fhe="simulate"):
        np.testing.assert_array_equal(model.predict(X[:5]), clear)
    X, y = wine
    model = MultiOutputClassifier(LinearDiscriminantAnalysis()).fit(
        X, np.stack([y, y == 0], 1)
    )
    assert model.predict(X[:5]).shape == (5, 2)


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "income": rng.lognormal(10, 1, n),
            "home": rng.choice(["own", "rent"], n),
        }
    )
    return frame, np.where(frame["age"] + 9 * (frame["home"] == "own") > 50, "yes", "no")


@pytest.mark.fhe
def test_column_transformer_and_set_output(frame):
    X, y = frame
    prepare = ColumnTransformer(
        [
            ("number", StandardScaler(), make_column_selector(dtype_include="number")),
            ("word", OneHotEncoder(sparse_output=False), ["home"]),
        ]
    )
    for container in ("default", "pandas", "polars"):
        pipe = make_pipeline(prepare, LogisticRegression()).set_output(transform=container)
        pipe.fit(X, y)
        np.testing.assert_array_equal(
            pipe.predict(X[:3], fhe="execute"), pipe.predict(X[:3])
        )
        assert pipe.score(X, y) > 0.85
        if container != "default":
            assert list(pipe[-1].feature_names_in_) == list(prepare.get_feature_names_out())


@pytest.mark.fhe
@pytest.mark.parametrize("library", [pd, pl])
def test_frames(frame, library):
    """Names of features are kept and checked, as scikit-learn does."""
    X, y = frame
    X = X[["age", "income"]]
    X = X if library is pd else pl.DataFrame({name: X[name].to_numpy() for name in X})
    model = LogisticRegression(solver="newton-cholesky").fit(X, y)
    assert list(model.feature_names_in_) == ["age", "income"]
    np.testing.assert_array_equal(model.predict(X[:4], fhe="execute"), model.predict(X[:4]))
    assert model.quantize_input(X[:4]).shape == (4, 2)
    model.compile(X)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[["income", "age"]])
    with pytest.warns(UserWarning, match="feature names"):
        model.predict(X.to_numpy())


@pytest.mark.fhe
def test_metadata_routing(split):
    """With routing on, `fhe` and sample weights reach the estimator."""
    X, X_test, y, y_test = split
    with sklearn.config_context(enable_metadata_routing=True):
        model = SGDClassifier(random_state=0).set_fit_request(sample_weight=True)
        scale = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(scale, model)
        pipe.fit(X, y, sample_weight=np.ones(len(X)))
        clear = pipe.predict(X_test)
        np.testing.assert_array_equal(pipe.predict(X_test, fhe="execute"), clear)
        np.testing.assert_array_equal(
            pipe.decision_function(X_test[:4], fhe="execute"),
            pipe.decision_function(X_test[:4]),
        )
        with pytest.raises(ValueError, match="fhe"):
            pipe.predict(X_test, fhe="encrypted")
        model = LogisticRegression().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = GridSearchCV(
            make_pipeline(scale, model),
            {"logisticregression__n_bits": [4, 8]},
            cv=2,
        )
        search.fit(X, y, sample_weight=np.ones(len(X)))
        assert search.score(X_test, y_test) > 0.9


@pytest.mark.simulate
def test_cross_val_predict(split):
    X, _, y, _ = split
    model = LogisticRegression(solver="newton-cholesky")
    with config_context(fhe="simulate"):
        probabilities = cross_val_predict(model, X, y, cv=2, method="predict_proba")
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


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


@pytest.mark.usefixtures("sent_by_value")
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


def test_threads_of_linear_algebra_are_given_back(split):
    """Small problems are fitted on one thread; nobody else notices."""
    X, _, y, _ = split
    seen = []

    class Watched(LinearDiscriminantAnalysis):
        def _to_onnx(self):
            seen.append(blas_threads())
            return super()._to_onnx()

    def blas_threads():
        return [
            lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"
        ]

    before = blas_threads()
    Watched().fit(X, y)
    assert seen == [[1] * len(before)]
    assert blas_threads() == before
