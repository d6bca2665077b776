"""Fits that nobody has chosen: numbers are the same in every mode, and the parent's.

``--fuzz`` says which seeds: ``3000`` for so many, ``17:18`` for one of them.
"""

import warnings
from contextlib import contextmanager, suppress
from inspect import signature

import numpy as np
import pytest
from sklearn.base import clone, is_classifier

from fhe_estimators._tree_based import TreeMixin
from fhe_estimators.base import parent_of
from fhe_estimators.core.quantization import resolve_n_bits
from fhe_estimators.exceptions import (
    AccuracyWarning,
    BitWidthError,
    ClippingWarning,
    CompilationError,
    WrapAroundWarning,
)
from tests.random_models import ESTIMATORS, random_case

#: From so many bits on, numbers are compared with the parent's.
MANY_BITS = 12
#: Their results are no sums of functions of one feature: labels, votes, means of
#: neighbours, products of features that may take from each other.
NOT_ADDITIVE = (
    *("EllipticEnvelope", "KMeans", "KNeighborsClassifier", "KNeighborsRegressor"),
    *("MiniBatchKMeans", "QuadraticDiscriminantAnalysis", "SVC"),
)
METHODS = (
    "predict",
    "predict_proba",
    "score_samples",
    "decision_function",
    "predict_joint_log_proba",
)


def pytest_generate_tests(metafunc):
    if "model_seed" in metafunc.fixturenames:
        metafunc.parametrize("model_seed", seeds(metafunc.config.getoption("--fuzz")))


def seeds(option):
    """Return the seeds that an option like ``3000`` or ``17:18`` names."""
    first, _, last = option.rpartition(":")
    chosen = range(int(first or 0), int(last))
    names = [ESTIMATORS[seed % len(ESTIMATORS)][0] for seed in chosen]
    return [
        pytest.param(seed, id=f"{seed}-{name}")
        for seed, name in zip(chosen, names, strict=True)
    ]


# Parents -------------------------------------------------------------------------------


@contextmanager
def warnings_of(*categories):
    """Let warnings of these categories pass, no others."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for category in categories:
            warnings.simplefilter("ignore", category)
        yield


def fitted_parent(case):
    """Return the mirrored class fitted on the same data, and what it warns of.

    None if it refuses the data or cannot predict them: they are not for this model.
    """
    if np.abs(case.X).max() > np.finfo(case.estimator._feature_dtype).max:
        # Some parents of trees take what they cannot represent for a missing value.
        return None, ()
    kind = parent_of(type(case.estimator))
    parameters = case.estimator.get_params(deep=False)
    # CatBoost's classes do not tell of parameters that are not set.
    names = {*kind(**required(case)).get_params(deep=False), *signature(kind).parameters}
    taken = {name: parameters[name] for name in names & parameters.keys()}
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn"):
        warnings.simplefilter("always")
        try:
            parent = kind(**taken)
            fit(parent, case)
            results = [values(parent, method, counted(case)) for method in methods(parent)]
        except Exception:
            return None, ()
        for method in methods(parent):
            with suppress(Exception):
                values(parent, method, rows_of(case))
    fitted_numbers = [getattr(parent, name, 0.0) for name in ("coef_", "intercept_")]
    if hasattr(parent, "cluster_centers_"):
        # Labels are numbers even where distances are not.
        with np.errstate(all="ignore"):
            fitted_numbers.append(parent.transform(counted(case)))
    numbers = [found for found in results if found.dtype.kind == "f"] + fitted_numbers
    if not all(np.isfinite(found).all() for found in numbers):
        return None, ()
    return parent, {warning.category for warning in caught}


def required(case):
    return {"net": case.estimator.net} if hasattr(case.estimator, "net") else {}


def same_attributes(model):
    """Return the mirrored class with the attributes of a fitted model."""
    kind = parent_of(type(model))
    parent = kind.__new__(kind)
    parent.__dict__.update(vars(model))
    return parent


def fit(model, case):
    weights = {} if case.sample_weight is None else {"sample_weight": case.sample_weight}
    return model.fit(case.X, case.y, **weights)


def fitted(case, parent):
    if not case.is_twin:
        return fit(clone(case.estimator), case)
    parameters = case.estimator.get_params(deep=False)
    options = {"n_bits": parameters["n_bits"], "p_error": parameters["p_error"]}
    if isinstance(case.estimator, TreeMixin):
        # The thresholds of the parent.
        del options["n_bits"]
    return type(case.estimator).from_sklearn_model(parent, counted(case), **options)


# Rows and results ----------------------------------------------------------------------


def counted(case):
    return case.X if case.sample_weight is None else case.X[case.sample_weight > 0]


def rows_of(case):
    """Return rows of training, rows between them, and rows far from them."""
    seen = counted(case)[:5].astype(np.float64)
    largest = float(np.finfo(case.estimator._feature_dtype).max) / 2
    far = np.full((2, seen.shape[1]), [[largest], [-largest]])
    with np.errstate(over="ignore"):
        near = [seen, seen[:1] / 2 + seen[-1:] / 2]
        rows = np.concatenate([*near, 1e3 * seen[:1], -1e9 * seen[-1:], far])
    return np.clip(rows, -min(1e100, largest), min(1e100, largest))


def methods(model):
    if not hasattr(model, "predict"):
        return ["transform"]
    return [name for name in METHODS if hasattr(model, name)]


def values(model, method, X, **options):
    """Return the results of a method, those of several outputs side by side."""
    found = getattr(model, method)(X, **options)
    return np.hstack(found) if isinstance(found, list) else np.asarray(found)


def raw_scores(model, X):
    """Return the scores before a link, or probabilities; of shape (n_rows, n_outputs)."""
    method = methods(model)[-1]
    found = values(model, method, X)
    found = np.log(found) if method == "predict" and has_log_link(model) else found
    return found.reshape(len(X), -1)


def has_log_link(model):
    loss = getattr(model, "_base_loss", None)
    if loss is not None:
        return type(loss.link).__name__ == "LogLink"
    parameters = model.get_params(deep=False)
    losses = {parameters.get(name) for name in ("loss", "loss_function", "objective")}
    logarithms = {"poisson", "Poisson", "poisson_deviance", "gamma", "count:poisson"}
    return bool(losses & logarithms)


# Checks --------------------------------------------------------------------------------


def check_modes(model, parent, rows):
    """Results are finite, and the same with the cryptography simulated."""
    is_exact = model.__sklearn_tags__().fhe_tags.exact
    for method in methods(model):
        clear = values(model, method, rows)
        simulated = values(model, method, rows, fhe="simulate")
        if is_exact:
            np.testing.assert_array_equal(simulated, clear, err_msg=method)
        if clear.dtype.kind == "f":
            finite = np.isfinite(clear) & np.isfinite(simulated)
            # Far away the parent's may be infinite, too.
            assert (
                finite.all() or not np.isfinite(values(parent, method, rows)[~finite]).any()
            )
    if hasattr(model, "predict_proba"):
        parts = model.predict_proba(rows)
        for part in parts if isinstance(parts, list) else [parts]:
            part = part[np.isfinite(part).all(axis=1)]
            assert part.min() >= 0
            np.testing.assert_allclose(part.sum(axis=1), 1, rtol=1e-6)


def check_close(model, expected, X, tolerance):
    """Scores are those of another model, and labels wherever these are sure."""
    found, right = raw_scores(model, X), raw_scores(expected, X)
    # The other model may compute in single precision.
    close = np.abs(found - right) <= tolerance + 2 * np.spacing(np.abs(right))
    assert close.all(), f"{found} is not near {right}: the tolerance is {tolerance}"
    if is_classifier(model) and np.ndim(model.classes_[0]) == 0:
        sure = is_sure(right, 2 * np.max(tolerance))
        labels, wanted = model.predict(X), expected.predict(X)
        # CatBoost returns those of several classes as a column.
        np.testing.assert_array_equal(labels[sure], wanted.reshape(labels.shape)[sure])


def is_sure(scores, tolerance):
    """Return where the best class wins by more than a tolerance."""
    if scores.shape[1] == 1:
        return np.abs(scores[:, 0]) > tolerance
    ordered = np.sort(scores, axis=1)
    return ordered[:, -1] - ordered[:, -2] > tolerance


def check_trees(model, parent, case):
    """Leaves are those of the parent's trees; their values are rounded as promised."""
    own, rows = same_attributes(model), rows_of(case)
    (decoder,) = model.quantized_module_.output_quantizers
    rounding = decoder.rounding_error_bound
    if is_classifier(model):
        rounding = np.max(rounding)
    # Raw scores of LightGBM's forests are sums, the decoder gives means.
    rounding = rounding * getattr(model, "_n_averaged", 1)
    size = np.abs(model.quantized_module_.scores(rows)).max(axis=0) + np.abs(model._base)
    precision = 1e-6 * (np.max(size) if is_classifier(model) else size) + 1e-12
    check_close(model, own, rows, rounding + precision)
    if case.is_twin:
        check_close(own, parent, rows, precision)
        return
    counts = case.sample_weight is None or np.all(case.sample_weight)
    # CatBoost's bins of the same width are so even if there are few values.
    even = hasattr(model, "get_borders") and model.binning == "uniform"
    if counts and not even and len(case.X) <= 1 << resolve_n_bits(model.n_bits).op_inputs:
        # Every value has a bin of its own.
        check_close(own, parent, case.X, precision)


def check_additive(model, parent, case):
    """With many bits, scores are those of the parent; an error is a few steps."""
    bits = resolve_n_bits(model.n_bits)
    n_bits = min(bits.op_inputs, bits.op_weights, bits.of_inputs)
    X = counted(case)
    if n_bits < MANY_BITS or is_narrow(model, X, n_bits):
        return
    right = raw_scores(parent, X)
    spans = []
    for feature in range(X.shape[1]):
        numbers = X[:, feature]
        if hasattr(parent, "binarize"):
            # Whatever was seen, a feature may be true or false.
            numbers = np.array([0.0, 1.0]) + (parent.binarize or 0.0)
        rows = np.repeat(X[:1], len(numbers), axis=0)
        rows[:, feature] = numbers
        spans.append(np.ptp(raw_scores(parent, rows), axis=0))
    step = np.max(spans, axis=0) / 2**n_bits
    size = np.abs(right).max(axis=0)
    if hasattr(parent, "coef_"):
        size = np.max(np.abs(X) @ np.abs(np.atleast_2d(parent.coef_)).T, axis=0) + size
    if hasattr(parent, "centroids_"):
        # The parent subtracts squares of features from each other.
        unit = np.where(parent.within_class_std_dev_ > 0, parent.within_class_std_dev_, 1)
        size = size + np.max(np.sum((X / unit) ** 2, axis=1))
    if hasattr(parent, "var_"):
        # Squares are inputs, too, of a range of twice the width, and take from each other.
        step = 16 * step
    precision = 1000 * np.finfo(right.dtype).eps * size
    check_close(model, parent, X, 4 * X.shape[1] * step + precision)


def is_narrow(model, X, n_bits):
    """Return whether a variance of GaussianNB is smaller than the circuit can have it."""
    if not hasattr(model, "var_"):
        return False
    narrowest = np.ptp(X, axis=0) / 2 ** ((n_bits + 3) / 2)
    return bool(np.any(model.var_ <= narrowest**2))


def check(seed):
    case = random_case(seed)
    parent, categories = fitted_parent(case)
    if parent is None:
        return False
    is_network = hasattr(parent, "net") or hasattr(parent, "net_")
    with warnings_of(AccuracyWarning, ClippingWarning, WrapAroundWarning, *categories):
        model = fitted(case, parent)
        try:
            model.compile()
        except (BitWidthError, CompilationError):
            # Sums may be as wide as bits and layers make them.
            assert is_network
            return True
        check_modes(model, parent, rows_of(case))
        if isinstance(model, TreeMixin):
            check_trees(model, parent, case)
        elif not is_network and type(model).__name__ not in NOT_ADDITIVE:
            check_additive(model, parent, case)
    return True


@pytest.mark.robustness
@pytest.mark.simulate
def test_numbers_are_those_of_clear_integers_and_of_the_parent(model_seed):
    try:
        check(model_seed)
    except Exception as error:
        again = f"pytest tests/test_random_models.py --fuzz {model_seed}:{model_seed + 1}"
        error.add_note(f"{again}\n{random_case(model_seed)}")
        raise
