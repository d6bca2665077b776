"""Votes of the nearest rows, on every integer that there is."""

import itertools

import numpy as np
import pytest

from fhe_estimators.core.nearest import votes_module
from fhe_estimators.core.nearest._module import _fitting, forms_of
from fhe_estimators.core.quantization import InputRange


def drawn(seed):
    """Return rows, some of them the same or on a grid, and classes, at random."""
    random = np.random.default_rng(seed)
    n_rows, n_features = random.integers(4, 14), random.integers(1, 4)
    n_classes = random.integers(2, 4)
    rows = random.normal(size=(n_rows, n_features))
    if seed % 2:
        rows = random.integers(0, 4, rows.shape).astype(float)
    classes = np.append(np.arange(n_classes), random.integers(0, n_classes, n_rows))
    return rows, classes[:n_rows]


@pytest.mark.parametrize("n_neighbors", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_votes_are_those_of_the_largest_scores(seed, n_neighbors):
    """Rows that are left out, and pairs that are not compared, make no difference."""
    rows, classes = drawn(seed)
    n_bits = 2 + seed % 3
    known = InputRange.of(rows, n_bits)
    module = votes_module(rows, classes, n_neighbors, known, n_bits)
    _, forms = forms_of(rows, known, n_bits)
    forms, _ = _fitting(forms, classes, n_neighbors, n_bits + 5)
    sides = (range(low, high + 1) for low, high in zip(forms.low, forms.high, strict=True))
    q = np.array(list(itertools.product(*sides)))
    nearest = np.argsort(-forms.scores(q), axis=1, kind="stable")[:, :n_neighbors]
    expected = np.stack(
        [(classes[nearest] == one).sum(axis=1) for one in range(classes.max() + 1)], axis=1
    )
    np.testing.assert_array_equal(module.quantized_forward(q), expected)
    shares = module.dequantize_output(expected)
    np.testing.assert_allclose(shares, expected / n_neighbors)


def test_most_of_a_class_within_need_not_be_compared():
    """Two classes apart: only rows that face each other are."""
    grid = np.array(list(itertools.product(range(6), range(4)))) * 1.0
    classes = (grid[:, 0] > 2).astype(int)
    module = votes_module(grid, classes, 1, InputRange.of(grid, 5), 5)
    compared = module.graph.constants["nearer"].shape
    assert compared[1] == 4
    assert compared[0] <= 4 * 4 + 3


def test_rows_of_one_class_everywhere():
    rows = np.array([[0.0], [0.0], [1.0]])
    with pytest.raises(ValueError, match="rows of one class are the nearest everywhere"):
        votes_module(rows, np.array([0, 1, 0]), 1, InputRange.of(rows, 4), 4)
    same = np.zeros((3, 2))
    with pytest.raises(ValueError, match="rows of one class are the nearest everywhere"):
        votes_module(same, np.array([0, 1, 0]), 1, InputRange.of(same, 4), 4)
