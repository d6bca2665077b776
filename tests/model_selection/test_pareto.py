"""A search over several estimators, by score and by cost."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fhe_estimators import (
    DecisionTreeClassifier,
    LogisticRegression,
    RandomForestClassifier,
    Ridge,
)
from fhe_estimators.inspection import cost
from fhe_estimators.model_selection import (
    COSTS,
    ParetoSearchCV,
    best_within,
    cheap_candidates,
)

CANDIDATES = [
    (
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": [1e-4]},
    ),
    (DecisionTreeClassifier(random_state=0), {"max_depth": [1, 4]}),
    (RandomForestClassifier(random_state=0, n_estimators=5), {"max_depth": [4]}),
]


@pytest.fixture(scope="module")
def search(breast_cancer):
    return ParetoSearchCV(CANDIDATES, cv=3).fit(*breast_cancer)


def test_results_have_scores_and_costs(search):
    results = search.cv_results_
    assert len(results["params"]) == 4
    for name in ("score", *COSTS):
        assert results[f"mean_test_{name}"].shape == (4,)
    tables = results["mean_test_tables"]
    assert tables[0] == tables[1] == 0 < tables[2] < tables[3]


def test_the_best_is_an_estimator_of_ours(search, breast_cancer):
    X, y = breast_cancer
    assert search.best_index_ == results_of(search).argmax()
    assert search.best_score_ == results_of(search).max()
    assert type(search.best_estimator_) is type(search.best_params_["model"])
    np.testing.assert_array_equal(search.predict(X), search.best_estimator_.predict(X))
    assert search.score(X, y) == search.best_estimator_.score(X, y)
    assert search.classes_.tolist() == [0, 1]


def results_of(search):
    return search.cv_results_["mean_test_score"]


def test_the_front_begins_with_what_costs_nothing(search):
    assert search.cv_results_["mean_test_seconds"][search.pareto_front_[0]] == 0
    assert (np.diff(results_of(search)[search.pareto_front_]) > 0).all()


def test_a_budget_chooses_a_cheaper_one(breast_cancer):
    search = ParetoSearchCV(CANDIDATES[1:], refit=best_within(tables=1), cv=3)
    search.fit(*breast_cancer)
    assert search.best_params_["model__max_depth"] == 1
    assert sum(cost(search).tables.values()) <= 1


def test_it_is_a_good_search(search, breast_cancer, tmp_path):
    assert is_classifier(search)
    assert is_regressor(ParetoSearchCV([(Ridge(), {})]))
    copy = clone(search)
    assert not hasattr(copy, "cv_results_")
    assert len(copy.candidates) == 3
    joblib.dump(search, tmp_path / "search.joblib")
    loaded = joblib.load(tmp_path / "search.joblib")
    rows = breast_cancer[0][:5]
    np.testing.assert_array_equal(loaded.predict(rows), search.predict(rows))


def test_several_scores(breast_cancer):
    search = ParetoSearchCV(CANDIDATES[1:2], scoring=["f1", "accuracy"], cv=3).fit(
        *breast_cancer
    )
    assert search.best_score_ == search.cv_results_["mean_test_f1"].max()


def test_without_refit(breast_cancer):
    search = ParetoSearchCV(CANDIDATES[1:2], refit=False, cv=2).fit(*breast_cancer)
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search, "predict")
    with pytest.raises(AttributeError, match="refit=False"):
        search.score(*breast_cancer)


@pytest.mark.parametrize("candidates", [[], [(Ridge(),)], Ridge(), [Ridge()], "ab"])
def test_odd_candidates(candidates):
    with pytest.raises(ValueError, match="parameter 'candidates' must"):
        ParetoSearchCV(candidates).fit([[0], [1]], [0, 1])


def test_refit_is_no_name(breast_cancer):
    with pytest.raises(ValueError, match=r"'refit' must be True, False or .*'score'"):
        ParetoSearchCV(CANDIDATES, refit="score").fit(*breast_cancer)


def test_candidates_are_worth_trying(breast_cancer):
    """The first ones take no table, and each can be fitted."""
    X, y = (part[::3] for part in breast_cancer)
    for target, n_free in ((y, 2), (X[:, 0] + X[:, 1], 2)):
        for number, (estimator, grid) in enumerate(cheap_candidates(X, target)):
            few = estimator.set_params(**{name: of[0] for name, of in grid.items()})
            assert (sum(cost(few.fit(X, target)).tables.values()) == 0) == (number < n_free)


def test_integers_are_labels_unless_they_are_numbers():
    X, y = np.zeros((6, 2)), [1, 2, 3, 1, 2, 3]
    for task, expected in ((None, "Classifier"), ("regression", "Regressor")):
        names = [type(model).__name__ for model, _ in cheap_candidates(X, y, task=task)]
        assert all(name.endswith(expected) for name in names[1:])
    with pytest.raises(ValueError, match="target is continuous"):
        cheap_candidates(X, np.linspace(0, 1, 6), task="classification")
    with pytest.raises(ValueError, match=r"'task' must be one of .*; got 'ranking'"):
        cheap_candidates(X, y, task="ranking")


@pytest.fixture
def mixed():
    """A table with missing numbers and labels, and its target."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "number": rng.normal(size=120),
            "label": pd.Categorical(rng.choice(["a", "b", "c"], 120)),
            "flag": pd.Categorical(rng.choice(["yes", "no"], 120)),
        }
    )
    y = (table["number"] > 0) ^ (table["flag"] == "yes")
    table.loc[::9, "number"] = np.nan
    table.loc[::11, "label"] = np.nan
    return table, y.to_numpy(int)


@pytest.mark.filterwarnings("ignore:Missing values detected:UserWarning")
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_candidates_take_categories_and_missing_values(mixed, task):
    pytest.importorskip("interpret")
    pytest.importorskip("catboost")
    X, y = mixed
    extras = ("interpret", "catboost")
    found = cheap_candidates(X, y, task=task, random_state=0, extras=extras)
    scores = []
    for model, grid in found:
        few = clone(model).set_params(**{name: of[0] for name, of in grid.items()})
        scores.append(few.fit(X, y).score(X, y))
        assert few.predict(X[:5]).shape == (5,)
    # Pairs of features are learned by trees that are deeper than one split.
    assert scores[0] < 0.8 < max(scores[2:])
    names = [type(getattr(model, "_final_estimator", model)).__name__ for model, _ in found]
    assert [name for name in names if name.startswith(("Explainable", "CatBoost"))]
    assert not [name for name in names if name.startswith(("Random", "Decision"))]


def test_random_states_reach_libraries(breast_cancer):
    pytest.importorskip("interpret")
    state = np.random.RandomState(0)
    for model, _ in cheap_candidates(
        *breast_cancer, random_state=state, extras=["interpret"]
    ):
        last = getattr(model, "_final_estimator", model)
        if type(last).__name__.startswith("Explainable"):
            assert isinstance(last.random_state, int)


@pytest.mark.parametrize("extras", ["interpret", ["lightgbm"], ["interpret", 3]])
def test_odd_extras(extras, breast_cancer):
    with pytest.raises(ValueError, match="'extras' must be a list of some of interpret, "):
        cheap_candidates(*breast_cancer, extras=extras)


def test_candidates_for_other_targets():
    with pytest.raises(ValueError, match="target is continuous-multioutput"):
        cheap_candidates(np.zeros((4, 2)), np.random.default_rng(0).normal(size=(4, 2)))
