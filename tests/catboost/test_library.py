"""CatBoost's classes as estimators of scikit-learn: parameters, copies, silence."""

import copy
import pickle

import catboost
import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fhe_estimators import CatBoostClassifier, CatBoostRegressor
from fhe_estimators.catboost._library import ALIASES
from tests.boosters import library_of, one_thread

__all__ = ["one_thread"]  # a fixture


def test_parameters():
    weights = [1.0, 2.0]
    model = CatBoostClassifier(7, 0.5, class_weights=weights, rsm=0.5, n_bits=3)
    params = model.get_params()
    assert (params["iterations"], params["learning_rate"], params["depth"]) == (7, 0.5, 4)
    assert params["rsm"] == 0.5
    assert params["class_weights"] is weights  # the library copies it
    copied = clone(model)
    assert copied.get_params() == params
    model.set_params(rsm=0.25, n_bits=2, depth=None)
    assert (model.get_params()["rsm"], model.n_bits) == (0.25, 2)
    assert model.get_params()["depth"] is None
    with pytest.raises(ValueError, match=r"'debth'.*'depth'"):
        model.set_params(debth=2)
    with pytest.raises(TypeError, match="debth"):
        CatBoostClassifier(debth=2)
    assert "rsm=0.25" in repr(model)


@pytest.mark.parametrize("alias", ["n_estimators", "num_trees", "num_boost_round"])
def test_other_names_of_parameters(wine, alias):
    X, y = wine
    model = CatBoostClassifier(**{alias: 3}, max_depth=2).fit(X, y)
    assert model.tree_count_ == 3
    assert model.get_all_params()["depth"] == 2
    search = GridSearchCV(CatBoostClassifier(), {alias: [1, 2]}, cv=2).fit(X, y)
    assert search.best_estimator_.tree_count_ == search.best_params_[alias]


def test_other_names_are_those_of_the_library():
    for name, aliases in ALIASES.items():
        for alias in aliases:
            value = "RMSE" if name == "loss_function" else 3
            plain = catboost.CatBoostRegressor(**{alias: value})
            expected = {"loss_function": "RMSE", name: value}
            assert plain._get_canonized_params() == expected


def test_refit_with_other_parameters(wine):
    """The library refuses to be given parameters once it is fitted."""
    X, y = wine
    model = CatBoostClassifier(3).fit(X, y)
    assert model.set_params(iterations=2).fit(X, y).tree_count_ == 2


@pytest.mark.parametrize("cls", [CatBoostClassifier, CatBoostRegressor])
def test_copies(wine, cls, tmp_path):
    X, y = wine
    names = [f"f {number}" for number in range(X.shape[1])]
    frame = pd.DataFrame(X, columns=names)
    model = cls(3).fit(frame, y)
    expected = model.predict(frame)
    joblib.dump(model, tmp_path / "model")
    for copied in (
        copy.copy(model),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model"),
    ):
        np.testing.assert_array_equal(copied.predict(frame), expected)
        assert copied.n_features_in_ == X.shape[1]
        assert list(copied.feature_names_in_) == names
        np.testing.assert_array_equal(
            copied.feature_importances_, model.feature_importances_
        )
        assert copied.get_params() == model.get_params()
    untouched = pickle.loads(pickle.dumps(cls(3, rsm=0.5)))
    assert untouched.get_params()["rsm"] == 0.5
    with pytest.raises(NotFittedError):
        untouched.predict(X)
    assert not hasattr(untouched, "n_features_in_")
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[names[::-1]])
    twin = cls.from_sklearn_model(library_of(model))
    assert list(twin.feature_names_in_) == names


def test_twins_keep_parameters(wine):
    X, y = wine
    own = catboost.CatBoostClassifier(iterations=2, verbose=0, allow_writing_files=False)
    twin = CatBoostClassifier.from_sklearn_model(own.fit(X, y))
    params = twin.get_params()
    assert (params["iterations"], params["depth"], params["verbose"]) == (2, None, 0)
    refitted = clone(twin).fit(X, y)
    assert refitted.get_all_params()["depth"] == own.get_all_params()["depth"]


def test_twin_of_a_file(wine, tmp_path):
    X, y = wine
    own = catboost.CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False)
    own.fit(X, y).save_model(str(tmp_path / "model.json"), format="json")
    loaded = catboost.CatBoostClassifier().load_model(str(tmp_path / "model.json"), "json")
    twin = CatBoostClassifier.from_sklearn_model(loaded)
    np.testing.assert_array_equal(twin.predict(X), own.predict(X).ravel())
    assert twin.n_features_in_ == X.shape[1]


def test_changed_models_are_followed(wine):
    X, y = wine
    model = CatBoostClassifier(3).fit(X, y > 0)
    before = model.predict_proba(X)
    leaves = model.get_leaf_values()
    model.set_leaf_values(-leaves)
    assert not np.allclose(model.predict_proba(X), before)
    expected = library_of(model).predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-2)


def test_searches_and_pipelines(wine):
    X, y = wine
    pipe = make_pipeline(StandardScaler(), CatBoostClassifier(5, thread_count=1))
    grid = {"catboostclassifier__n_bits": [1, 3]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.8
    scores = cross_val_score(CatBoostRegressor(30), X, y, cv=3, n_jobs=2)
    assert np.isfinite(scores).all()


def test_silence(wine, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = wine
    model = CatBoostClassifier(2).fit(X, y)
    model.predict(X)
    CatBoostClassifier.from_sklearn_model(library_of(model), X)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
    CatBoostClassifier(2, verbose=True).fit(X, y)
    CatBoostClassifier(2).fit(X, y, verbose=True)
    assert capfd.readouterr().out.count("1:\tlearn") == 2


def test_early_stopping_and_weights(wine):
    X, y = wine
    model = CatBoostClassifier(50, early_stopping_rounds=2)
    model.fit(X[::2], y[::2], eval_set=(X[1::2], y[1::2]))
    assert model.tree_count_ < 50
    own = library_of(model)
    np.testing.assert_array_equal(model.predict(X), own.predict(X).ravel())
    weights = np.where(y == 0, 100.0, 0.01)
    weighted = CatBoostClassifier(2).fit(X, y, sample_weight=weights)
    assert np.mean(weighted.predict(X) == 0) > np.mean(y == 0)


def test_targets_are_checked(wine):
    X, y = wine
    for wrong, words in (
        (None, "target y is None"),
        (np.zeros(len(y)), "two classes"),
        (np.linspace(0, 1, len(y)), "Unknown label type"),
        (y[:-1], "inconsistent"),
        (np.where(y > 0, np.nan, 1.0), "NaN"),
    ):
        with pytest.raises(ValueError, match=words):
            CatBoostClassifier(2).fit(X, wrong)
    with pytest.raises(ValueError, match="constant"):  # CatBoost's own refusal
        CatBoostRegressor(2).fit(np.ones((9, 2)), np.arange(9.0))
