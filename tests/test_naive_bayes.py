"""What only naive Bayes does: functions of features, incremental fits, priors."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import naive_bayes
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import StratifiedKFold

from fhe_estimators import BernoulliNB, GaussianNB
from fhe_estimators.core.engine import ClearEngine
from fhe_estimators.core.numpy_module import NumpyModule

PARENTS = {GaussianNB: naive_bayes.GaussianNB, BernoulliNB: naive_bayes.BernoulliNB}

each_class = pytest.mark.parametrize("cls", PARENTS, ids=lambda cls: cls.__name__)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def digits():
    """Counts from 0 to 16; some are zero in every row, more in every row of a digit."""
    return load_digits(return_X_y=True)


def twins(cls, X, y, **parameters):
    """Return our estimator with 16 bits and scikit-learn's, fitted alike."""
    parent = PARENTS[cls](**parameters)
    return cls(n_bits=16, **parameters).fit(X, y), parent.fit(X, y)


def assert_same(ours, theirs, X, atol=1e-3):
    """Results are those of scikit-learn, up to the rounding of 16 bits."""
    np.testing.assert_allclose(
        ours.predict_proba(X), theirs.predict_proba(X), atol=atol, rtol=0
    )
    expected = theirs.predict_joint_log_proba(X)
    result = ours.predict_joint_log_proba(X)
    np.testing.assert_array_equal(np.isneginf(result), np.isneginf(expected))
    size = np.abs(expected[np.isfinite(expected)]).max()
    np.testing.assert_allclose(result, expected, atol=1e-3 * max(1, size), rtol=0)


def accuracy(cls, X, y, **parameters):
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return np.mean(
        [cls(**parameters).fit(X[a], y[a]).score(X[b], y[b]) for a, b in folds.split(X, y)]
    )


# Accuracy ------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["breast_cancer", "wine", "iris", "digits"])
@pytest.mark.parametrize("n_bits", [8, 12])
def test_gaussian_accuracy(request, data, n_bits):
    """On unscaled data, with features that are constant in a class as well."""
    X, y = request.getfixturevalue(data)
    ours = accuracy(GaussianNB, X, y, n_bits=n_bits)
    assert ours >= accuracy(naive_bayes.GaussianNB, X, y) - 0.005


def test_bernoulli_accuracy(digits):
    X, y = digits
    ours = accuracy(BernoulliNB, X, y, binarize=8.0)
    assert ours >= accuracy(naive_bayes.BernoulliNB, X, y, binarize=8.0) - 0.005


# Against scikit-learn ------------------------------------------------------------------


@pytest.mark.parametrize("data", ["breast_cancer", "wine", "iris"])
@pytest.mark.parametrize("options", [{}, {"var_smoothing": 1e-6}], ids=str)
def test_gaussian(request, data, options):
    X, y = request.getfixturevalue(data)
    # Squares of features with long tails add thousands to the scores.
    atol = 1e-2 if data == "breast_cancer" else 1e-3
    assert_same(*twins(GaussianNB, X, y, **options), X, atol)


@pytest.mark.parametrize(
    "options",
    [
        {"binarize": 8.0},
        {"binarize": 0.1},
        {"alpha": 1e-3, "binarize": 4.0, "fit_prior": False},
        {"alpha": 0, "force_alpha": False, "binarize": 8.0},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:alpha too small")
def test_bernoulli(digits, options):
    X, y = digits
    assert_same(*twins(BernoulliNB, X, y, **options), X)


def test_threshold_is_exact():
    """Features at the threshold, and the next number above it, fall on its two sides."""
    ends = np.array([[0.1], [np.nextafter(0.1, 1)]])
    ours, theirs = twins(BernoulliNB, ends, [0, 1], binarize=0.1)
    assert_same(ours, theirs, ends)
    np.testing.assert_array_equal(ours.quantize_input(ends), [[-1], [0]])


@pytest.mark.parametrize("values", [[0, 1], [0.0, 0.3, 1.0]], ids=str)
def test_bernoulli_without_threshold(values):
    """Features are taken as they are, be they binary or not."""
    rng = np.random.default_rng(0)
    X, y = rng.choice(values, (80, 5)), np.arange(80) % 3
    assert_same(*twins(BernoulliNB, X, y, binarize=None), X)


def test_one_bit_is_enough_for_zeros_and_ones():
    """Also for a feature that was never true."""
    X = np.random.default_rng(0).integers(0, 2, (60, 4))
    X[:, 0] = 0
    rows = np.vstack([X, np.ones((1, 4))])
    theirs = naive_bayes.BernoulliNB(binarize=None).fit(X, X[:, 1])
    ours = BernoulliNB(binarize=None, n_bits={"op_inputs": 1, "op_weights": 16})
    assert_same(ours.fit(X, X[:, 1]), theirs, rows)


@each_class
def test_priors(wine, cls):
    X, y = wine
    name = "priors" if cls is GaussianNB else "class_prior"
    for prior in ([0.2, 0.3, 0.5], np.full(3, 1 / 3)):
        assert_same(*twins(cls, X, y, **{name: prior}), X)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@each_class
def test_impossible_class(wine, cls):
    """Its logarithms are minus infinity, as scikit-learn's."""
    X, y = wine
    name = "priors" if cls is GaussianNB else "class_prior"
    ours, theirs = twins(cls, X, y, **{name: [0.5, 0.5, 0.0]})
    assert_same(ours, theirs, X)
    assert 2 not in ours.predict(X * 1e9)


@each_class
def test_one_class(wine, cls):
    X, _ = wine
    ours, theirs = twins(cls, X, np.full(len(X), "only"))
    assert_same(ours, theirs, X)
    assert set(ours.predict(X)) == {"only"}


@each_class
def test_weights_are_those_of_scikit_learn(breast_cancer, cls):
    X, y = breast_cancer
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    ours = cls(n_bits=16).fit(X, y, sample_weight=weights)
    theirs = PARENTS[cls]().fit(X, y, sample_weight=weights)
    assert_same(ours, theirs, X[weights > 0], atol=1e-2)


def test_range_of_one_row(iris):
    """All rows are clipped to the one that the ranges of a twin were taken from."""
    X, y = iris
    model = naive_bayes.GaussianNB().fit(X, y)
    twin = GaussianNB.from_sklearn_model(model, X[:1])
    expected = model.predict_joint_log_proba(X[:1])
    np.testing.assert_allclose(
        twin.predict_joint_log_proba(X), np.repeat(expected, len(X), axis=0)
    )


def test_single_precision(wine):
    """Features far from zero: their squares would cancel."""
    X, y = wine
    X = (X + 1000).astype(np.float32)
    assert_same(*twins(GaussianNB, X, y), X, atol=0.02)


def test_frames_are_known_by_their_names(wine):
    """No warning says that a frame, or its names, got lost on the way."""
    X, y = wine
    frame = pd.DataFrame(X, columns=[f"f{place}" for place in range(X.shape[1])])
    model = GaussianNB().fit(frame, y)
    np.testing.assert_array_equal(model.predict(frame), GaussianNB().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"f0": "other"}))


# Incremental fits ----------------------------------------------------------------------


@each_class
def test_partial_fit(wine, cls):
    """Batches far from each other: the mean of all lies in neither."""
    X, y = wine
    order = np.argsort(X[:, 12])
    X, y = X[order], y[order]
    ours, theirs = cls(n_bits=16), PARENTS[cls]()
    for model in (ours, theirs):
        for batch in np.array_split(np.arange(len(X)), 3):
            model.partial_fit(X[batch], y[batch], classes=[0, 1, 2])
    assert_same(ours, theirs, X)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@each_class
def test_partial_fit_starts_with_a_few_rows(wine, cls):
    """One row, of one class, has no variance; the classes to come are impossible yet."""
    X, y = wine
    model = cls().partial_fit(X[:1], y[:1], classes=[0, 1, 2])
    np.testing.assert_array_equal(model.predict(X), np.zeros(len(X)))
    np.testing.assert_array_equal(model.predict_proba(X)[:, 1:], 0)
    for start in range(1, len(X), 59):
        model.partial_fit(X[start : start + 59], y[start : start + 59])
    assert model.score(X, y) >= PARENTS[cls]().fit(X, y).score(X, y) - 0.02


# What is rounded -----------------------------------------------------------------------


def test_spreads_are_bounded_in_the_circuit_only(digits):
    """The ONNX model has the bounded ones, the estimator those of scikit-learn."""
    X, y = digits
    ours, theirs = twins(GaussianNB, X, y)
    np.testing.assert_array_equal(ours.var_, theirs.var_)
    for n_bits, narrowest in ((8, 32), (16, 724)):
        model = GaussianNB(n_bits=n_bits).fit(X, y)
        width = model._input_range.high - model._input_range.low
        spreads = np.sqrt(model._variances(width)) * narrowest / width.clip(1e-9)
        assert spreads.min() == pytest.approx(1, rel=1e-3)


def test_constant_features_change_nothing(iris):
    X, y = iris
    wider = np.column_stack([X, np.full(len(X), 7.0), np.zeros(len(X))])
    theirs = naive_bayes.GaussianNB(var_smoothing=1e-3).fit(wider, y)
    assert_same(GaussianNB(n_bits=16, var_smoothing=1e-3).fit(wider, y), theirs, wider)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@each_class
def test_no_smoothing_at_all(cls):
    """Where scikit-learn's scores are not numbers, ours still are."""
    X, y = np.array([[0.0, 1.0], [0.0, 2.0], [1.0, 1.0], [1.0, 3.0]]), [0, 0, 1, 1]
    name = "var_smoothing" if cls is GaussianNB else "alpha"
    model = cls(**{name: 0}).fit(X, y)
    assert np.isfinite(model.predict_joint_log_proba(X)).all()
    np.testing.assert_array_equal(model.predict(X), y)


units = st.floats(-6, 6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), units, units)
def test_units_do_not_matter(seed, power, shift):
    """Nothing cancels, however far the features are from zero for their size."""
    rng = np.random.default_rng(seed)
    y = np.arange(60) % 3
    X = rng.normal(size=(60, 2)) + y[:, np.newaxis]
    moved = 10**power * (X + 10**shift)
    ours = GaussianNB(n_bits=16, var_smoothing=0).fit(moved, y)
    plain = GaussianNB(n_bits=16, var_smoothing=0).fit(X, y)
    np.testing.assert_allclose(
        ours.predict_proba(moved), plain.predict_proba(X), atol=2e-3, rtol=0
    )


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(list(PARENTS)), st.integers(1, 16), st.integers(0, 2**32 - 1), units)
def test_no_row_leaves_the_declared_ranges(cls, n_bits, seed, power):
    """The checking engine raises if an integer leaves its range."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_t(2, size=(30, 3)), np.arange(30) % 2
    module = cls(n_bits=n_bits).fit(X, y).quantized_module
    module.compile(engine=ClearEngine())
    rows = rng.standard_t(1, size=(20, 3)) * 10**power
    np.testing.assert_array_equal(module.scores(rows, fhe="execute"), module.scores(rows))


@each_class
def test_modes_of_joint_probabilities(wine, cls):
    X, y = wine
    model = cls(n_bits=4).fit(X, y)
    with pytest.raises(ValueError, match="fhe"):
        model.predict_joint_log_proba(X, fhe="encrypted")
    np.testing.assert_allclose(NumpyModule(model.onnx_model)(X).sum(axis=1), 1, atol=1e-12)


@pytest.mark.fhe
@each_class
def test_encrypted_joint_probabilities(wine, cls):
    X, y = wine
    model = cls(n_bits=4).fit(X, y)
    expected = model.predict_joint_log_proba(X[:3])
    for fhe in ("simulate", "execute"):
        np.testing.assert_array_equal(
            model.predict_joint_log_proba(X[:3], fhe=fhe), expected
        )
    assert model.fhe_circuit.programmable_bootstrap_count == 0
