"""Which of many edges are worth it: the best choice, by brute force."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhe_estimators.core.trees import (
    Splits,
    chosen_places,
    filled_places,
    split_weights,
)
from fhe_estimators.core.trees.choice import LEAST_SAVED


def weights(longest):
    some = st.lists(st.sampled_from([0, 0, 1, 2, 5, 1000]), min_size=1, max_size=longest)
    return some.filter(any)


def loss(of, places):
    """Return what is lost if splits move to some places, and what the places cost."""
    edges = np.arange(len(of))
    moved = np.abs(edges[:, np.newaxis] - np.asarray(places)).min(axis=1)
    return moved @ np.array(of) / (len(of) + 1)


def choices(of, n_most):
    """Return what may be chosen of the edges of a feature."""
    for count in range(1, n_most + 1):
        yield from combinations(range(len(of)), min(count, len(of)))


@settings(deadline=None)
@given(of=weights(9), n_most=st.integers(1, 5))
def test_no_other_choice_loses_less(of, n_most):
    (places,) = chosen_places([np.array(of, float)], n_most, n_most)
    assert 1 <= len(places) <= n_most
    assert (np.diff(places) > 0).all()
    assert np.array(of)[places].all()
    each = LEAST_SAVED * sum(of)
    best = min(loss(of, some) + each * len(some) for some in choices(of, n_most))
    assert loss(of, places) + each * len(places) <= best + 1e-6 * sum(of)


@settings(deadline=None)
@given(
    features=st.lists(weights(5), min_size=2, max_size=3),
    n_further=st.integers(0, 4),
    n_most=st.integers(1, 4),
)
def test_no_other_choice_of_all_features_loses_less(features, n_further, n_most):
    n_total = len(features) + n_further
    places = chosen_places([np.array(of, float) for of in features], n_total, n_most)
    assert sum(map(len, places)) <= n_total
    assert max(map(len, places)) <= n_most
    weight = sum(map(sum, features))

    def whole(chosen):
        lost = sum(loss(of, some) for of, some in zip(features, chosen, strict=True))
        return lost + LEAST_SAVED * weight * sum(map(len, chosen))

    best = min(
        whole(chosen)
        for chosen in product(*(choices(of, n_most) for of in features))
        if sum(map(len, chosen)) <= n_total
    )
    assert whole(places) <= best + 1e-6 * weight


def test_few_splits_stay_where_they_are():
    of = np.zeros(255)
    of[[3, 70, 71, 254]] = 1.0
    (places,) = chosen_places([of], 15, 15)
    np.testing.assert_array_equal(places, [3, 70, 71, 254])
    # Two next to each other are one edge where much else counts more.
    of, other = of * 1e-3, np.zeros(255)
    other[9] = 1.0
    places, others = chosen_places([of, other], 30, 30)
    np.testing.assert_array_equal(places, [3, 70, 254])
    np.testing.assert_array_equal(others, [9])


def test_of_many_splits_fewer_edges_are_worth_it():
    of = [np.random.default_rng(0).exponential(size=255) for _ in range(20)]
    found = [
        sum(map(len, chosen_places(of, 20 * 255, 255, n_splits)))
        for n_splits in (0, 1500, 15_000, 150_000)
    ]
    assert found[0] == found[1] > found[2] > found[3] > 20


def test_features_without_splits_have_no_edges():
    none, some = chosen_places([np.zeros(4), np.ones(4)], 6, 3)
    assert len(none) == 0
    assert len(some) == 3
    assert [len(of) for of in chosen_places([np.zeros(4)], 3, 3)] == [0]


@given(
    features=st.lists(
        st.lists(st.tuples(st.sampled_from([0.5, 1.5, 1.75, 7.0]), st.integers(1, 3))),
        min_size=1,
        max_size=3,
    )
)
def test_of_splits_at_an_edge_the_one_that_matters_most_stands_for_it(features):
    splits = Splits.of(
        [(np.array([t for t, _ in of]), np.array([w for _, w in of])) for of in features],
        [3] * len(features),
        lambda _, thresholds: thresholds.astype(int),
    )
    for of, weights_of, thresholds in zip(
        features, splits.weights, splits.thresholds, strict=True
    ):
        for place in range(3):
            here = [(w, t) for t, w in of if int(t) == place]
            assert weights_of[place] == sum(w for w, _ in here)
            if here:
                assert (max(w for w, _ in here), thresholds[place]) in here
            else:
                assert np.isnan(thresholds[place])


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
