"""The best candidate within a budget, and those that no other one beats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.model_selection import best_within
from fhe_estimators.model_selection._budget import pareto_front

RESULTS = {
    "mean_test_score": np.array([0.7, 0.9, 0.8, 0.9, np.nan]),
    "mean_test_f1": np.array([0.9, 0.1, 0.1, 0.1, 0.1]),
    "mean_test_seconds": np.array([0.0, 3.0, 0.5, 2.0, np.nan]),
    "mean_test_tables": np.array([0.0, 9.0, 4.0, 50.0, np.nan]),
}


@pytest.mark.parametrize(
    ("limits", "index"),
    [
        ({"seconds": 10}, 3),
        ({"seconds": 1}, 2),
        ({"seconds": 0}, 0),
        ({"tables": 10}, 1),
        ({"tables": 10, "seconds": 1}, 2),
        ({"seconds": 10, "metric": "f1"}, 0),
    ],
)
def test_the_best_within_the_budget(limits, index):
    assert best_within(**limits)(RESULTS) == index


def test_none_is_within_the_budget():
    dear = {**RESULTS, "mean_test_tables": RESULTS["mean_test_tables"] + 5}
    with pytest.raises(ValueError, match=r"tables=4, .*the least that any takes: tables 5"):
        best_within(tables=4)(dear)


@pytest.mark.parametrize("limit", [-1, np.nan, "1", True])
def test_odd_limits(limit):
    with pytest.raises(ValueError, match=r"'seconds' must be a number .* got"):
        best_within(seconds=limit)


def test_no_limit():
    with pytest.raises(ValueError, match="at least one limit: seconds, tables"):
        best_within()


def test_a_search_without_costs():
    with pytest.raises(ValueError, match=r"no mean_test_seconds: .*with_cost"):
        best_within(seconds=1)({"mean_test_score": np.ones(2)})


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_the_front_is_what_no_other_one_beats(pairs):
    score, seconds = np.array(pairs, float).T
    front = pareto_front(score, seconds)
    assert (np.diff(score[front]) > 0).all()
    assert (np.diff(seconds[front]) > 0).all()
    for s, t in pairs:
        # Each one is beaten, or met, by one of the front.
        assert ((score[front] >= s) & (seconds[front] <= t)).any()


def test_the_front_has_no_failures():
    score = np.array([np.nan, 1.0, 2.0])
    assert pareto_front(score, np.array([0.0, 1.0, np.nan])).tolist() == [1]
