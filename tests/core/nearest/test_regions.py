"""Which regions touch."""

import itertools

import numpy as np
import pytest

from fhe_estimators.core.nearest import Forms
from fhe_estimators.core.nearest._regions import on_borders, seen, touching


@pytest.mark.parametrize("seed", range(6))
def test_no_region_that_touches_is_missed(seed):
    """Between integers of the regions of two rows there is no third one."""
    random = np.random.default_rng(seed)
    low, high = np.full(2, -4), np.full(2, 3)
    forms = Forms(random.integers(-5, 6, (7, 2)), random.integers(-20, 21, 7), low, high)
    touch = touching(forms)
    assert (touch == touch.T).all()
    assert (touch | ~seen(forms)).all()
    fine = np.array(list(itertools.product(np.linspace(-4, 3, 141), repeat=2)))
    scores = forms.scores(fine)
    near = scores >= scores.max(axis=1, keepdims=True)
    for row in near[near.sum(axis=1) > 1]:
        places = np.flatnonzero(row)
        assert all(touch[i, j] for i, j in itertools.combinations(places, 2))


def test_rows_on_a_line():
    """Each touches the next one; those between rows of their class are on no border."""
    rows = np.arange(5.0)[:, np.newaxis]
    forms = Forms.of(rows, np.full(1, 0.1), np.zeros(1), np.zeros(1, int), np.full(1, 40))
    forms = forms.rounded(100)
    touch = touching(forms)
    assert [tuple(pair) for pair in np.argwhere(np.triu(touch))] == [
        (i, i + 1) for i in range(4)
    ]
    assert on_borders(touch, np.array([0, 0, 0, 1, 1])).tolist() == [2, 3]
