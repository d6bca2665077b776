"""Grids and encoders: laws that hold for all data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fhe_estimators.core.trees import BINNINGS, BinEdges
from fhe_estimators.core.trees.encoders import BinEncoder, ThermometerEncoder

dtypes = st.sampled_from([np.float32, np.float64])
few = st.sampled_from([-(2.0**99), -1.0, 0.0, 0.25, 1.0, 1.0 + 2**-23, 7.0, 2.0**99])
tables = dtypes.flatmap(
    lambda dtype: arrays(
        dtype,
        st.tuples(st.integers(1, 40), st.integers(1, 3)),
        elements=few | st.floats(-1e6, 1e6, width=32, allow_subnormal=False),
    )
)
each_binning = pytest.mark.parametrize("binning", BINNINGS)


@each_binning
@settings(deadline=None)
@given(X=tables, n_bits=st.integers(1, 5))
def test_bins(binning, X, n_bits):
    bin_edges = BinEdges.of(X, n_bits, binning)
    for column, edges, bins in zip(X.T, bin_edges.edges, bin_edges.bins(X).T, strict=True):
        assert len(edges) < 2**n_bits
        assert (np.diff(edges) > 0).all()
        # Bin b lies above b edges.
        np.testing.assert_array_equal(
            bins, (column.astype(float)[:, np.newaxis] > edges).sum(axis=1)
        )
        values = np.unique(column)
        if len(values) <= 2**n_bits:
            # Exactly the values: a bin for each.
            assert len(edges) == len(values) - 1
            assert len(np.unique(bins)) == len(values)
        elif binning == "quantile":
            assert len(np.unique(bins)) == 2**n_bits


@each_binning
@settings(deadline=None)
@given(X=tables, n_bits=st.integers(1, 5))
def test_representatives_lie_in_their_bins(binning, X, n_bits):
    bin_edges = BinEdges.of(X, n_bits, binning)
    values = bin_edges.representatives(X)
    snapped = bin_edges.snapped(X, values)
    assert snapped.dtype == X.dtype
    np.testing.assert_array_equal(bin_edges.bins(snapped), bin_edges.bins(X))
    np.testing.assert_array_equal(bin_edges.snapped(snapped, values), snapped)


@each_binning
@settings(deadline=None)
@given(X=tables, n_bits=st.integers(1, 4), data=st.data())
def test_weights_are_repetitions(binning, X, n_bits, data):
    counts = data.draw(arrays(np.int64, len(X), elements=st.integers(0, 3)))
    counts[0] += 1
    weighted = BinEdges.of(X, n_bits, binning, counts.astype(float))
    repeated = BinEdges.of(np.repeat(X, counts, axis=0), n_bits, binning)
    for a, b in zip(weighted.edges, repeated.edges, strict=True):
        np.testing.assert_array_equal(a, b)


def test_quantiles_have_the_same_weight():
    X = np.random.default_rng(0).exponential(size=(8000, 1))
    counts = np.bincount(BinEdges.of(X, 4, "quantile").bins(X)[:, 0])
    np.testing.assert_array_equal(counts, 500)


def test_a_heavy_value_leaves_no_bin_empty():
    """Plain quantiles of a feature that is zero in nine rows of ten would."""
    X = np.append(np.zeros(900), np.arange(1.0, 101.0))[:, np.newaxis]
    counts = np.bincount(BinEdges.of(X, 3, "quantile").bins(X)[:, 0])
    assert counts[0] == 900
    assert len(counts) == 8
    assert counts[1:].max() <= 15


def test_uniform_bins_have_the_same_width():
    X = np.linspace(-1, 3, 100)[:, np.newaxis]
    np.testing.assert_allclose(np.diff(BinEdges.of(X, 3, "uniform").edges[0]), 0.5)


@settings(deadline=None)
@given(X=tables, n_bits=st.integers(1, 5))
def test_encoders(X, n_bits):
    bin_edges = BinEdges.of(X, n_bits)
    features = tuple(f for f, edges in enumerate(bin_edges.edges) if len(edges))
    if not features:
        return
    bins, bits = BinEncoder(bin_edges, features), ThermometerEncoder(bin_edges, features)
    rows = np.concatenate([X, X * 3 + 1]) if np.abs(X).max() < 1e20 else X
    q, codes = bins.quant(rows), bits.quant(rows)
    assert q.dtype == codes.dtype == np.int64
    assert q.min() >= bins.low
    assert q.max() <= bins.high
    start = 0
    for place, size in enumerate(bits.sizes):
        code = codes[:, start : start + size]
        assert (np.diff(code, axis=1) >= 0).all()
        np.testing.assert_array_equal(size - code.sum(axis=1), q[:, place])
        start += size
    assert start == codes.shape[1]


@pytest.mark.parametrize("encoder", [BinEncoder, ThermometerEncoder])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_encoders_refuse_what_is_not_finite(encoder, wrong):
    bin_edges = BinEdges.of(np.arange(4.0)[:, np.newaxis], 2)
    with pytest.raises(ValueError, match="nan or infinity"):
        encoder(bin_edges, (0,)).quant([[wrong]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_representatives_of_bins_that_rows_do_not_fall_into(dtype):
    """A fit that goes on may see other rows than those that the bins are of."""
    random = np.random.default_rng(0)
    bin_edges = BinEdges.of(random.uniform(size=(500, 1)).astype(dtype), 6)
    for rows in ([[0.2]], [[-9.0]], [[9.0]], random.uniform(0.3, 0.5, size=(9, 1))):
        (values,) = bin_edges.representatives(np.asarray(rows, dtype))
        assert values.dtype == dtype
        bins = bin_edges.bins(values[:, np.newaxis])[:, 0]
        np.testing.assert_array_equal(bins, np.arange(64))
        # Thresholds that are edges stay.
        feature, edges = np.zeros(63, int), bin_edges.edges[0]
        np.testing.assert_array_equal(bin_edges.dividing(feature, edges, [values]), edges)


def test_no_edge_is_a_training_value():
    """It is the middle of two: one of them only if no number of the dtype lies between."""
    X = np.random.default_rng(0).normal(size=(300, 3))
    for rows in (X, X.astype(np.float32)):
        for n_bits in (2, 5, 9):
            for binning in BINNINGS:
                for edges, column in zip(
                    BinEdges.of(rows, n_bits, binning).edges, rows.T, strict=True
                ):
                    assert not np.isin(edges, column.astype(np.float64)).any()


# Missing values, and bins that adapt ----------------------------------------------------


@each_binning
def test_missing_values_have_the_last_bin(binning):
    X = np.random.default_rng(0).normal(size=(300, 2))
    X[::3, 0] = np.nan
    bin_edges = BinEdges.of(X, 3, binning)
    complete = BinEdges.of(X[~np.isnan(X[:, 0])], 3, binning)
    assert bin_edges.with_missing == {0}
    np.testing.assert_array_equal(bin_edges.edges[0], [*complete.edges[0], np.inf])
    assert set(bin_edges.bins(X)[::3, 0]) == {len(bin_edges.edges[0])}
    values = bin_edges.representatives(X)
    snapped = bin_edges.snapped(X, values)
    np.testing.assert_array_equal(np.isnan(snapped), np.isnan(X))
    np.testing.assert_array_equal(bin_edges.bins(snapped), bin_edges.bins(X))
    bin_edges.check(X)
    with pytest.raises(ValueError, match="nan"):
        bin_edges.check(X[:, ::-1])
    with pytest.raises(ValueError, match="infinity"):
        bin_edges.check(np.full((1, 2), np.inf))


def test_no_bin_is_represented_by_a_reserved_number():
    X = np.array([[-1.0], [1.0], [8.0]])
    bin_edges = BinEdges([np.array([4.0])])
    assert bin_edges.representatives(X)[0].tolist() == [0.0, 8.0]
    assert bin_edges.representatives(X, reserved=0.0)[0].tolist() == [-1.0, 8.0]


def test_adaptive_bins_are_as_dense_as_the_cube_root_and_as_rows():
    """Of an exponential distribution: two edges of Panter and Dite for one quantile."""
    values = -np.log(1 - (np.arange(20_000) + 0.5) / 20_000)
    (edges,) = BinEdges.of(values[:, np.newaxis], 4, "adaptive").edges
    # The cube root of exp(-x) is exp(-x / 3).
    last = 1 - np.exp(-values[-1] / 3)
    below = 2 / 3 * (1 - np.exp(-edges / 3)) / last + 1 / 3 * (1 - np.exp(-edges))
    np.testing.assert_allclose(below, np.arange(1, 16) / 16, rtol=0.02)


def test_adaptive_bins_lose_least_of_long_tails():
    X = np.exp(np.random.default_rng(0).normal(size=(5_000, 1)))
    errors = {}
    for binning in BINNINGS:
        bin_edges = BinEdges.of(X, 4, binning)
        snapped = bin_edges.snapped(X, bin_edges.representatives(X))
        errors[binning] = float(((X - snapped) ** 2).mean())
    assert errors["adaptive"] < 0.5 * min(errors["quantile"], errors["uniform"])


def test_adaptive_edges_lie_in_gaps_not_at_their_ends():
    X = np.array([[0.0], [1.0], [1.0], [9.0], [10.0]])
    (edges,) = BinEdges.of(X, 1, "adaptive").edges
    np.testing.assert_array_equal(edges, [5.0])
    # A gap that is wider than three bins has one edge; the others are where rows are.
    X = np.append(np.linspace(0, 1, 50), 1000.0)[:, np.newaxis]
    (edges,) = BinEdges.of(X, 2, "adaptive").edges
    assert (edges < 1).sum() == 2
    assert 500 <= edges[-1] < 501


def test_some_of_the_edges():
    X = np.random.default_rng(0).normal(size=(300, 2))
    X[::3, 1] = np.nan
    bin_edges = BinEdges.of(X, 3)
    assert bin_edges.n_finite == [7, 7]
    first, second = bin_edges.at([np.array([1, 4]), np.array([], int)]).edges
    np.testing.assert_array_equal(first, bin_edges.edges[0][[1, 4]])
    np.testing.assert_array_equal(second, [np.inf])


@given(
    X=tables,
    n_bits=st.integers(1, 3),
    thresholds=st.lists(st.floats(-10, 10), min_size=7, max_size=7),
)
def test_edges_are_replaced_unless_rows_change_sides(X, n_bits, thresholds):
    bin_edges = BinEdges.of(X, n_bits)
    of = [np.array(thresholds[:count]) for count in bin_edges.n_finite]
    replaced = bin_edges.replaced(of, X)
    np.testing.assert_array_equal(replaced.bins(X), bin_edges.bins(X))
    for column, before, after, new in zip(
        X.T.astype(np.float64), bin_edges.edges, replaced.edges, of, strict=True
    ):
        for edge, found, threshold in zip(before, after, new, strict=True):
            same = np.array_equal(column <= edge, column <= threshold)
            assert found == (threshold if same else edge)
    for found, new in zip(bin_edges.replaced(of).edges, of, strict=True):
        np.testing.assert_array_equal(found, new)


def test_edges_without_a_threshold_and_of_missing_values_stay():
    bin_edges = BinEdges([np.array([0.0, 1.0, np.inf])])
    replaced = bin_edges.replaced([np.array([np.nan, 1.5])])
    np.testing.assert_array_equal(replaced.edges[0], [0.0, 1.5, np.inf])
