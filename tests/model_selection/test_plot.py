"""The plot of candidates."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from fhe_estimators import DecisionTreeClassifier
from fhe_estimators.model_selection import ParetoDisplay, best_within, with_cost

RESULTS = {
    "mean_test_score": np.array([0.7, 0.9, 0.8]),
    "mean_test_seconds": np.array([0.0, 3.0, 4.0]),
}


def test_the_front_is_drawn():
    display = ParetoDisplay.from_cv_results(RESULTS, ax=Figure().subplots())
    assert display.front.tolist() == [0, 1]
    candidates, front = display.ax_.lines
    np.testing.assert_array_equal(candidates.get_ydata(), RESULTS["mean_test_score"])
    np.testing.assert_array_equal(front.get_xdata(), [0.0, 3.0])


@pytest.mark.simulate
def test_a_search_is_drawn(breast_cancer):
    search = GridSearchCV(
        DecisionTreeClassifier(),
        {"max_depth": [1, 2]},
        scoring=with_cost(),
        refit=best_within(tables=9),
        cv=2,
    )
    with pytest.raises(NotFittedError):
        ParetoDisplay.from_estimator(search)
    search.fit(*breast_cancer)
    display = ParetoDisplay.from_estimator(search, ax=Figure().subplots())
    np.testing.assert_array_equal(display.score, search.cv_results_["mean_test_score"])


def test_a_search_without_costs():
    with pytest.raises(ValueError, match=r"no mean_test_f1.*with_cost"):
        ParetoDisplay.from_cv_results(RESULTS, metric="f1")
