"""Which of many edges are worth it: the best choice, by brute force."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhe_estimators.core.trees import chosen_places, filled_places, split_weights
from fhe_estimators.core.trees.choice import _LEAST_SAVED

weights = st.lists(st.sampled_from([0, 0, 1, 2, 5, 1000]), min_size=1, max_size=9)


def loss(of, places):
    """Return what is lost if splits move to some places, and what the places cost."""
    edges = np.arange(len(of))
    moved = np.abs(edges[:, np.newaxis] - np.asarray(places)).min(axis=1)
    return moved @ np.array(of) / (len(of) + 1) + _LEAST_SAVED * sum(of) * len(places)


@settings(deadline=None)
@given(of=weights.filter(any), n_most=st.integers(1, 5))
def test_no_other_choice_loses_less(of, n_most):
    (places,) = chosen_places([np.array(of, float)], n_most)
    assert 1 <= len(places) <= n_most
    assert (np.diff(places) > 0).all()
    assert np.array(of)[places].all()
    best = min(
        loss(of, some)
        for count in range(1, n_most + 1)
        for some in combinations(range(len(of)), min(count, len(of)))
    )
    assert loss(of, places) <= best + 1e-6 * sum(of)


def test_few_splits_stay_where_they_are():
    of = np.zeros(255)
    of[[3, 70, 71, 254]] = 1.0
    (places,) = chosen_places([of], 15)
    np.testing.assert_array_equal(places, [3, 70, 71, 254])
    # Two next to each other are one edge where much else counts more.
    of, other = of * 1e-2, np.zeros(255)
    other[9] = 1.0
    places, others = chosen_places([of, other], 15)
    np.testing.assert_array_equal(places, [3, 70, 254])
    np.testing.assert_array_equal(others, [9])


def test_features_without_splits_have_no_edges():
    none, some = chosen_places([np.zeros(4), np.ones(4)], 3)
    assert len(none) == 0
    assert len(some) == 3
    assert [len(of) for of in chosen_places([np.zeros(4)], 3)] == [0]


@given(
    places=st.sets(st.integers(0, 29)),
    n_edges=st.integers(30, 40),
    n_most=st.integers(1, 50),
)
def test_other_edges_lie_between(places, n_edges, n_most):
    chosen = np.array(sorted(places), int)
    found = filled_places(chosen, n_edges, n_most)
    assert set(found) >= places
    assert (np.diff(found) > 0).all()
    assert len(found) == max(len(places), min(n_most, n_edges))
    assert len(found) == 0 or 0 <= found[0] <= found[-1] < n_edges


def test_the_widest_gap_is_divided_first():
    np.testing.assert_array_equal(filled_places(np.array([2]), 20, 3), [2, 6, 11])


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_splits_matter_by_what_they_tell_apart(n_outputs):
    """The root divides 1 from the mean of 3 and 5, its child, half of the rows, these."""
    left, right = np.array([1, -1, 3, -1, -1]), np.array([2, -1, 4, -1, -1])
    value = np.repeat([[9.0], [1.0], [9.0], [3.0], [5.0]], n_outputs, axis=1)
    expected = np.array([3.0, 0, 2 / np.sqrt(2), 0, 0]) * np.sqrt(n_outputs)
    np.testing.assert_allclose(split_weights(left, right, value), expected)
    assert split_weights(left[1:2], right[1:2], value[1:2]).tolist() == [0.0]
