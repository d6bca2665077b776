"""Ranges of inputs and weights fitted to data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.integers.weights import _round_in_turn, fit_weights
from fhe_estimators.core.quantization import InputRange, image


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return np.stack([rng.exponential(size=400), rng.uniform(size=400)], axis=1)


def test_range_holds_the_data_and_grows_with_bits(rows):
    widths = []
    for n_bits in (1, 4, 8, 16):
        known = InputRange.of(rows, n_bits)
        # Most of the data is inside, whatever the bits; all of it from 8 bits on.
        inside = ((rows >= known.low) & (rows <= known.high)).mean(axis=0)
        assert (inside >= (1 if n_bits >= 8 else 0.9)).all()
        widths.append(known.high - known.low)
    assert (np.diff(widths, axis=0) >= 0).all()
    assert (widths[-1] <= 2 * np.ptp(rows, axis=0) + 1e-12).all()
    assert widths[0][0] < np.ptp(rows[:, 0])  # the exponential feature's long tail


@pytest.mark.parametrize(("n_bits", "least"), [(3, 1.1), (8, 2)])
def test_margin_lowers_the_error_on_unseen_rows(n_bits, least):
    """That is what it is for: less expected squared error than the plain range."""
    rng = np.random.default_rng(1)
    gain = []
    for _ in range(40):
        seen, unseen = rng.exponential(size=(200, 1)), rng.exponential(size=5000)
        known = InputRange.of(seen, n_bits)
        errors = []
        for low, high in ((known.low[0], known.high[0]), (seen.min(), seen.max())):
            step = (high - low) / (2**n_bits - 1)
            rounded = np.clip(np.rint((unseen - low) / step) * step + low, low, high)
            errors.append(np.mean((rounded - unseen) ** 2))
        gain.append(errors[1] / errors[0])
    assert np.median(gain) > least


def test_flags_and_constants_get_no_margin():
    X = np.stack([np.ones(90), np.arange(90) % 2, np.arange(90) % 5], axis=1)
    known = InputRange.of(X, 16)
    np.testing.assert_array_equal(known.low, [1, 0, 0])
    np.testing.assert_array_equal(known.high, [1, 1, 4])


@given(st.integers(0, 2**32 - 1))
def test_weights_are_repetitions(seed):
    """A row of weight k counts as k rows, one of weight 0 as none."""
    rng = np.random.default_rng(seed)
    X, weights = rng.normal(size=(30, 2)), rng.integers(0, 4, 30)
    weights[0] = 1
    weighted = InputRange.of(X, 8, weights)
    repeated = InputRange.of(np.repeat(X, weights, axis=0), 8)
    np.testing.assert_array_equal(weighted.low, repeated.low)
    np.testing.assert_array_equal(weighted.high, repeated.high)


def test_union(rows):
    first, second = InputRange.of(rows[:200], 8), InputRange.of(rows[200:] + 5, 8)
    union = first.union(second)
    np.testing.assert_array_equal(union.low, first.low)
    np.testing.assert_array_equal(union.high, second.high)


def test_image_holds_what_lies_between_the_ends(rows):
    """Also of a function with its extremes inside of the range, or undefined in part."""
    known = InputRange(np.array([-2.0, -1.0]), np.array([3.0, 4.0]))
    squares, logarithms = image(lambda X: (X**2, np.log(X)), [rows], [known])
    np.testing.assert_allclose(squares.low, [0, 0], atol=0.02)
    np.testing.assert_array_equal(squares.high, [9, 16])
    np.testing.assert_array_equal(logarithms.high, np.log([3, 4]))
    assert np.isfinite(logarithms.low).all()


def test_image_is_of_rows_in_the_range_that_count(rows):
    """A function of two features needs rows: ends alone do not tell its range."""
    known, weights = InputRange(np.zeros(2), np.ones(2)), np.zeros(len(rows))
    weights[0] = 1
    rows[0], rows[1] = [2.0, -0.5], [0.0, 1.0]
    (difference,) = image(lambda X: (X[:, :1] - X[:, 1:],), [rows], [known], weights)
    np.testing.assert_array_equal((difference.low, difference.high), ([0], [1]))


# Weights -------------------------------------------------------------------------------


def correlated(n_rows=300, n_features=12, seed=0):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_rows, 3))
    X = factors @ rng.normal(size=(3, n_features)) + 0.1 * rng.normal(
        size=(n_rows, n_features)
    )
    weights = rng.normal(size=(n_features, 2))
    return X, weights


def error_of(q, target, integers, scale, shift):
    return np.mean((q @ (scale * integers) + shift - target) ** 2, axis=0)


@pytest.mark.parametrize("limit", [1, 3, 7, 127])
def test_fitted_weights_beat_rounded_ones(limit):
    """On rows that were not seen, as integers of few bits make errors that correlate."""
    gains = []
    for seed in range(10):
        X, weights = correlated(600, seed=seed)
        step = np.ptp(X, axis=0) / 15
        q = np.rint(X / step)
        real, target = step[:, None] * weights, X @ weights
        half = slice(0, 300), slice(300, 600)
        fitted = fit_weights(q[half[0]], target[half[0]], real, np.ones(300), limit)
        assert np.abs(fitted[0]).max() <= limit
        plain_scale = np.abs(real).max(axis=0) / limit
        plain = np.rint(real / plain_scale)
        shift = target[half[0]].mean(axis=0) - q[half[0]].mean(axis=0) @ (
            plain_scale * plain
        )
        gains.append(
            error_of(q[half[1]], target[half[1]], plain, plain_scale, shift)
            / error_of(q[half[1]], target[half[1]], *fitted)
        )
    assert np.median(gains) > 1.5


def test_no_error_where_none_is_needed():
    """Integer weights and exact inputs are reproduced, bias included."""
    rng = np.random.default_rng(0)
    q = rng.integers(-8, 8, (50, 4)).astype(float)
    weights = np.array([[7], [-3], [0], [1]]) * 0.25
    integers, scale, shift = fit_weights(q, q @ weights + 3, weights, np.ones(50), 7)
    np.testing.assert_array_equal(integers[:, 0], [7, -3, 0, 1])
    np.testing.assert_allclose(scale, 0.25)
    np.testing.assert_allclose(shift, 3)


@pytest.mark.parametrize("n_rows", [1, 2, 40])
def test_degenerate_data(n_rows):
    """One row, constant features, more features than rows, all weights zero."""
    q = np.zeros((n_rows, 6))
    q[:, 0] = 5
    for weights in (np.zeros((6, 1)), np.ones((6, 1)), np.full((6, 1), 1e-320)):
        integers, scale, shift = fit_weights(q, q @ weights, weights, np.ones(n_rows), 127)
        assert np.isfinite(scale).all()
        assert (scale > 0).all()
        np.testing.assert_allclose(q @ (scale * integers) + shift, q @ weights, atol=1e-9)


def test_many_features_are_rounded_one_by_one():
    rng = np.random.default_rng(0)
    q, weights = rng.normal(size=(5, 2100)), rng.normal(size=(2100, 1))
    integers, scale, _ = fit_weights(q, q @ weights, weights, np.ones(5), 127)
    np.testing.assert_array_equal(integers, np.rint(weights / scale))


@pytest.mark.parametrize(("n_rows", "n_features"), [(900, 600), (2600, 600)])
def test_wide_fits_hold_on_other_rows(n_rows, n_features):
    """Weights do not learn the rounding errors of few rows."""
    rng = np.random.default_rng(0)
    real = rng.normal(size=(n_rows + 500, n_features)) * 30
    q, weights = np.rint(real), rng.normal(size=(n_features, 1))
    meant, fitted = real @ weights, slice(0, n_rows)
    integers, scale, shift = fit_weights(
        q[fitted], meant[fitted], weights, np.ones(n_rows), 63
    )
    plain = np.rint(weights / scale)

    def error(integers):
        result = q[n_rows:] @ (scale * integers) + shift
        return np.sqrt(np.mean((result - meant[n_rows:]) ** 2))

    assert error(integers) < 1.25 * error(plain)


def test_errors_are_passed_on_in_blocks_as_one_by_one():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(300, 300))
    inverse = np.linalg.inv(factor.T @ factor + np.eye(300))
    exact = rng.normal(size=(300, 4)) * 20
    order = np.argsort(np.diag(inverse), kind="stable")
    upper = np.linalg.cholesky(inverse[np.ix_(order, order)]).T
    rest, expected = exact[order], np.empty_like(exact)
    for place, row in enumerate(order):
        expected[row] = np.clip(np.rint(rest[place]), -31, 31)
        error = (rest[place] - expected[row]) / upper[place, place]
        rest[place:] -= np.outer(upper[place, place:], error)
    np.testing.assert_array_equal(_round_in_turn(exact, inverse, 31), expected)


@pytest.mark.parametrize("n_bits", [2, 8, 16])
def test_ranges_of_features_are_their_own(n_bits):
    """Whatever lies beside them, in blocks of features as one by one."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 100)) ** 3
    X[:, ::3] = X[:, ::3].round(1)
    X[:, ::7] = rng.integers(0, 2, size=(3000, 15))
    X[:, 5] = 1.0
    found = InputRange.of(X, n_bits)
    alone = [InputRange.of(X[:, [feature]], n_bits) for feature in range(100)]
    np.testing.assert_allclose(found.low, [own.low[0] for own in alone], rtol=1e-12)
    np.testing.assert_allclose(found.high, [own.high[0] for own in alone], rtol=1e-12)


def test_upper_and_lower_tails_mirror_each_other():
    X = np.random.default_rng(0).exponential(size=(500, 3))
    found, mirrored = InputRange.of(X, 4), InputRange.of(-X, 4)
    np.testing.assert_allclose(found.low, -mirrored.high, rtol=1e-12)
    np.testing.assert_allclose(found.high, -mirrored.low, rtol=1e-12)


@pytest.mark.parametrize("n_bits", [1, 2, 3, 8])
@pytest.mark.parametrize("outlier", [1e3, 1e30, 1e300])
def test_an_outlier_is_left_out(n_bits, outlier):
    """One number that is far out makes no range wider than all numbers."""
    X = np.random.default_rng(0).normal(size=(200, 1))
    X[7] = outlier
    known = InputRange.of(X, n_bits)
    assert known.high[0] < (0.3 if n_bits <= 3 else 1) * outlier


@pytest.mark.parametrize("n_bits", [1, 4, 16])
def test_tails_of_the_smallest_numbers(n_bits):
    rng = np.random.default_rng(0)
    tiny = 5e-324 * rng.integers(0, 100, 200)
    X = np.stack([tiny, np.where(rng.uniform(size=200) < 0.3, tiny, rng.uniform(size=200))])
    known = InputRange.of(X.T, n_bits)
    low, high = X.min(axis=1), X.max(axis=1)
    assert (known.low <= known.high).all()
    assert (known.low >= low - high).all()
    assert (known.high <= 2 * high).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_near_the_largest_are_refused_by_their_name(sign):
    """They are not infinite, as the quantizer would say of their range."""
    X = np.random.default_rng(0).normal(size=(200, 2))
    X[:2, 1] = [1.7e308, sign * 1.6e308]
    with pytest.raises(ValueError, match=r"Feature 1 holds numbers from .* to 1\.7e\+308"):
        InputRange.of(X, 16)
