"""Scores with costs beside them."""

import pytest
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier as PlainTree

from fhe_estimators import DecisionTreeClassifier
from fhe_estimators.inspection import cost
from fhe_estimators.model_selection import COSTS, best_within, with_cost


def test_scores_and_costs_of_a_pipeline(breast_cancer):
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=3)).fit(
        *breast_cancer
    )
    found = with_cost("accuracy")(model, *breast_cancer)
    assert found["score"] == model.score(*breast_cancer)
    report = cost(model)
    assert found["seconds"] == report.seconds > 0
    assert found["tables"] == sum(report.tables.values())
    assert set(found) == {"score", *COSTS}


def test_in_a_grid_search(breast_cancer):
    search = GridSearchCV(
        DecisionTreeClassifier(random_state=0),
        {"max_depth": [1, 2, 4]},
        scoring=with_cost(["f1", "accuracy"]),
        refit=best_within(tables=2, metric="f1"),
        cv=2,
    ).fit(*breast_cancer)
    assert search.cv_results_["mean_test_tables"][search.best_index_] <= 2
    assert search.best_params_["max_depth"] < 4
    assert cost(search) == cost(search.best_estimator_)


def test_in_cross_validate(breast_cancer):
    model = DecisionTreeClassifier(max_depth=2)
    found = cross_validate(model, *breast_cancer, scoring=with_cost(), cv=2)
    assert (found["test_seconds"] > 0).all()


def test_an_estimator_that_is_not_ours(breast_cancer):
    model = make_pipeline(PlainTree()).fit(*breast_cancer)
    with pytest.raises(TypeError, match=r"got DecisionTreeClassifier.*fhe_estimators"):
        with_cost()(model, *breast_cancer)


def test_a_score_with_the_name_of_a_cost(breast_cancer):
    model = DecisionTreeClassifier(max_depth=2).fit(*breast_cancer)
    with pytest.raises(ValueError, match="score named 'seconds'"):
        with_cost({"seconds": "accuracy"})(model, *breast_cancer)
