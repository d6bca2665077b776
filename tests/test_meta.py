"""Estimators inside of what scikit-learn builds from estimators."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
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

from fhe_estimators import (
    LinearDiscriminantAnalysis,
    LinearSVC,
    LogisticRegression,
    NearestCentroid,
    Ridge,
    SGDClassifier,
    config_context,
)


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


@pytest.mark.usefixtures("own_workers")
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
