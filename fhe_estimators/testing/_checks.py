"""Checks that every estimator of the package passes, beside scikit-learn's own.

They are derived from tags, as scikit-learn's are: which data to fit, whether the circuit
may have bootstraps, whether encrypted results are exact, whom a twin predicts as.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from fhe_estimators._config import config_context
from fhe_estimators.base import FHEMixin, in_floating_point
from fhe_estimators.exceptions import NotCompiledError
from fhe_estimators.testing._tools import (
    data_for,
    far_out,
    fitted,
    methods_of,
    most_bits,
    raises,
)

Check = Callable[[str, Any], None]

# Clear ---------------------------------------------------------------------------------


def check_close_to_parent(name: str, estimator: Any) -> None:
    """With many bits, or those that it was trained with, results are the parent's."""
    parameters, error = most_bits(estimator)
    model, X, _ = fitted(estimator, **parameters)
    parent = in_floating_point(model)
    for method in methods_of(parent):
        if method == "predict_log_proba":
            continue
        expected = getattr(parent, method)(X)
        if expected.dtype.kind == "f":
            tolerance = error * max(1.0, np.abs(expected).max())
            np.testing.assert_allclose(
                getattr(model, method)(X), expected, atol=tolerance, rtol=0
            )
        else:
            found = getattr(model, method)(X)
            # CatBoost returns labels of several classes as a column.
            assert np.mean(found == expected.reshape(found.shape)) >= 1 - error


def check_same_methods_as_parent(name: str, estimator: Any) -> None:
    """A method is there if and only if the parent has it."""
    model, _, _ = fitted(estimator)
    assert methods_of(model) == methods_of(in_floating_point(model))


def check_n_bits(name: str, estimator: Any) -> None:
    """Wrong bits are refused with parameter and value named; numpy integers are right."""
    if "n_bits" not in estimator.get_params():
        return
    for wrong in (
        0,
        17,
        "8",
        2.5,
        None,
        {},
        {"weights": 8},
        {"op_inputs": 0, "op_weights": 8},
    ):
        shown = str(wrong)
        if isinstance(wrong, dict):
            shown = "0" if 0 in wrong.values() else "op_inputs"
        words = ["n_bits", shown]
        raises((ValueError, TypeError), words, partial(fitted, estimator, n_bits=wrong))  # type: ignore[arg-type]
    bits = {"op_inputs": np.int32(5), "op_weights": 6}
    for right in (np.int64(5), np.uint8(5), {"op_inputs": 5}, bits):
        model, X, _ = fitted(estimator, n_bits=right)
        assert model.get_params()["n_bits"] is right
        q_X = model.quantize_input(X)
        assert q_X.dtype == np.int64
        assert q_X.flags.c_contiguous
        of_inputs = model._bit_widths().of_inputs
        # Inputs of converted models have two bits more than `n_bits`, unless a dict tells.
        assert of_inputs == 5 or (not isinstance(right, dict) and of_inputs == 7)
        assert q_X.min() >= -(2 ** (of_inputs - 1))
        assert q_X.max() < 2 ** (of_inputs - 1)


def check_p_error(name: str, estimator: Any) -> None:
    """A p_error that is no probability is refused."""
    for wrong in (0, 1, -0.5, 2, "small"):
        words = ["p_error", str(wrong)]
        raises(ValueError, words, partial(fitted, estimator, p_error=wrong))
    model, _, _ = fitted(estimator)
    raises(ValueError, ["p_error"], partial(model.compile, p_error=1.5))


def check_wrong_input(name: str, estimator: Any) -> None:
    """Rows that cannot be encrypted are refused, the cure is named."""
    from scipy.sparse import csr_matrix

    model, X, y = fitted(estimator)
    nan, inf = X.copy(), X.copy()
    nan[0, 0], inf[0, 0] = np.nan, np.inf
    cases: list[tuple[Any, list[str]]] = [
        (nan, ["NaN"]),
        (inf, ["infinity"]),
        (csr_matrix(X), ["parse", "toarray"]),
        (X + 1j, ["omplex"]),
        (X[:0], ["0 sample"]),
        (X[0], ["1D array", "reshape"]),
        (X[:, :2], ["2 features", "4 features"]),
    ]
    for method in (*methods_of(model), "quantize_input", "compile"):
        for wrong, words in cases:
            call = partial(getattr(model, method), wrong)
            raises((ValueError, TypeError), words, call)  # type: ignore[arg-type]
    takes_missing = get_tags(estimator).input_tags.allow_nan
    # Who is fitted on rows with missing values has bins for them.
    for wrong, words in cases[1 if takes_missing else 0 : -1]:
        fit = partial(clone(estimator).fit, wrong, y[: np.shape(wrong)[0]])
        raises((ValueError, TypeError), words, fit)  # type: ignore[arg-type]


def check_unknown_mode(name: str, estimator: Any) -> None:
    """A mode that does not exist is refused, the ones that do are named."""
    model, X, _ = fitted(estimator)
    words = ["fhe", "'encrypted'", "'disable'", "'simulate'", "'execute'"]
    for method in methods_of(model):
        raises(ValueError, words, partial(getattr(model, method), X, fhe="encrypted"))
    raises(ValueError, words, lambda: config_context(fhe="encrypted").__enter__())


def check_unfitted(name: str, estimator: Any) -> None:
    """Before fit everything raises NotFittedError; dir() and HTML work all the same."""
    model = clone(estimator)
    X, _ = data_for(estimator)
    main = methods_of(model)[0]
    for call in (
        lambda: getattr(model, main)(X),
        lambda: getattr(model, main)(X, fhe="execute"),
        lambda: model.compile(),
        lambda: model.quantize_input(X),
        lambda: model.dequantize_output(np.zeros((1, 1), int)),
        lambda: model.onnx_model,
        lambda: model.quantized_module,
        lambda: model.fhe_circuit,
        lambda: type(model).from_sklearn_model(in_floating_point(model), X),
    ):
        raises(NotFittedError, [], call)
    assert main in dir(model)
    assert name in model._repr_html_()
    raises(TypeError, [name], lambda: type(model).from_sklearn_model(object(), X))


def check_string_labels(name: str, estimator: Any) -> None:
    """Labels of any type come back."""
    if not is_classifier(estimator):
        return
    X, y = data_for(estimator)
    model = clone(estimator).fit(X, np.array(["no", "perhaps", "yes"])[y])
    assert set(model.predict(X)) <= {"no", "perhaps", "yes"}


def check_from_sklearn_model(name: str, estimator: Any) -> None:
    """The twin of a fitted parent predicts as the estimator fitted itself.

    A faithful one predicts as the parent.
    """
    model, X, _ = fitted(estimator)
    parent = in_floating_point(model)
    twin = type(model).from_sklearn_model(parent, X)
    is_faithful = get_tags(estimator).fhe_tags.faithful_twin
    main = methods_of(model)[0]
    expected, found = (
        getattr(one, main)(X) for one in (parent if is_faithful else model, twin)
    )
    if is_faithful and expected.dtype.kind == "f":
        tolerance = 1e-3 * np.std(expected)
        np.testing.assert_allclose(found, expected, atol=tolerance, rtol=0)
    else:
        np.testing.assert_array_equal(found, expected.reshape(found.shape))
    assert twin.get_params().keys() == model.get_params().keys()


def check_onnx_model(name: str, estimator: Any) -> None:
    """The ONNX model is legal and computes what follows the raw scores in clear."""
    from fhe_estimators.core.numpy_module import NumpyModule

    parameters, error = most_bits(estimator)
    model, X, _ = fitted(estimator, **parameters)
    outputs = NumpyModule(model.onnx_model)(X)
    assert np.abs(outputs - model.quantized_module(X)).max() < 10 * error * max(
        1, np.abs(outputs).max()
    )


# Simulate ------------------------------------------------------------------------------


def check_not_compiled(name: str, estimator: Any) -> None:
    """There is no circuit before compile, after a refit, or in a clone."""
    model, X, y = fitted(estimator)
    raises(NotCompiledError, ["compile"], lambda: model.fhe_circuit)
    assert not hasattr(model, "fhe_circuit_")
    circuit = model.compile(X)
    assert model.fhe_circuit is circuit
    assert model.fhe_circuit_ is circuit
    assert not hasattr(clone(model), "fhe_circuit_")
    raises(NotFittedError, [], lambda: check_is_fitted(clone(model)))
    assert not hasattr(fitted(model)[0], "fhe_circuit_")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not hasattr(model.fit(X, y), "fhe_circuit_")


def check_circuit(name: str, estimator: Any) -> None:
    """Widths stay in what the scheme offers; a levelled circuit has no bootstrap."""
    model, _, _ = fitted(estimator)
    circuit = model.compile()
    tags = get_tags(estimator).fhe_tags
    assert 1 <= circuit.maximum_bit_width <= 62
    assert circuit.complexity > 0
    assert circuit.p_error == estimator.p_error
    if tags.levelled:
        assert circuit.programmable_bootstrap_count == 0
    assert "inputs" in str(circuit)
    assert "maximum_bit_width" in repr(circuit)


def check_simulate_is_clear(name: str, estimator: Any) -> None:
    """Simulation gives the clear integers, far outside of the training range too."""
    if not get_tags(estimator).fhe_tags.exact:
        return
    model, X, _ = fitted(estimator)
    rows = far_out(model, X)
    for method in methods_of(model):
        # A forest may be certain: the logarithm of no probability at all is infinite.
        with np.errstate(over="ignore", divide="ignore"):
            clear = getattr(model, method)(rows)
            np.testing.assert_array_equal(
                getattr(model, method)(rows, fhe="simulate"), clear
            )
            with config_context(fhe="simulate"):
                np.testing.assert_array_equal(getattr(model, method)(rows), clear)


# FHE -----------------------------------------------------------------------------------


def check_execute_is_clear(name: str, estimator: Any) -> None:
    """Encrypted results are the clear ones, for one row and for many, at any distance."""
    model, X, y = fitted(estimator)
    rows = far_out(model, X)
    main, *others = methods_of(model)
    call = getattr(model, main)
    with np.errstate(over="ignore"):
        clear = call(rows)
        np.testing.assert_array_equal(call(rows, fhe="execute"), clear)
        np.testing.assert_array_equal(call(rows[:1], fhe="execute"), clear[:1])
    for method in others:
        with np.errstate(over="ignore", divide="ignore"):
            np.testing.assert_array_equal(
                getattr(model, method)(rows[:2], fhe="execute"),
                getattr(model, method)(rows[:2]),
            )
    if hasattr(model, "score") and main == "predict":
        assert model.score(X[:5], y[:5], fhe="execute") == model.score(X[:5], y[:5])


def check_pickle_after_compile(name: str, estimator: Any) -> None:
    """A compiled model is pickled with its circuits and without its keys."""
    model, X, _ = fitted(estimator)
    model.compile()
    main = methods_of(model)[0]
    expected = getattr(model, main)(X[:3], fhe="execute")
    before = dict(vars(model))
    np.testing.assert_array_equal(getattr(model, main)(X[:3], fhe="execute"), expected)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[key] is value for key, value in before.items())
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.fhe_circuit.complexity == model.fhe_circuit.complexity
    for mode in ("execute", "simulate"):
        np.testing.assert_array_equal(getattr(loaded, main)(X[:3], fhe=mode), expected)


#: Checks by tier: what they need, hence what they cost.
_CHECKS: dict[str, tuple[Check, ...]] = {
    "clear": (
        check_close_to_parent,
        check_same_methods_as_parent,
        check_n_bits,
        check_p_error,
        check_wrong_input,
        check_unknown_mode,
        check_unfitted,
        check_string_labels,
        check_from_sklearn_model,
        check_onnx_model,
    ),
    "simulate": (check_not_compiled, check_circuit, check_simulate_is_clear),
    "fhe": (check_execute_is_clear, check_pickle_after_compile),
}


def _yield_checks(estimator: Any) -> Iterator[tuple[str, Check]]:
    if not isinstance(estimator, FHEMixin):
        raise TypeError(f"Expected an estimator of fhe_estimators; got {estimator!r}.")
    for tier, checks in _CHECKS.items():
        for check in checks:
            yield tier, check


def check_fhe_estimator(estimator: Any) -> None:
    """Run all checks of encrypted prediction on an estimator.

    Parameters
    ----------
    estimator : FHEMixin
        An instance; it is cloned.

    Raises
    ------
    AssertionError
        If a check fails.
    """
    for _, check in _yield_checks(estimator):
        check(type(estimator).__name__, estimator)


def parametrize_with_fhe_checks(estimators: Iterable[Any]) -> Any:
    """Return a pytest mark that calls a test with each estimator and check.

    The test takes ``estimator`` and ``check`` and calls ``check(estimator)``. Tests are
    marked ``simulate`` or ``fhe`` if they compile or encrypt.

    Parameters
    ----------
    estimators : iterable of FHEMixin
    """
    import pytest

    return pytest.mark.parametrize(
        ("estimator", "check"),
        [
            pytest.param(
                estimator,
                partial(check, type(estimator).__name__),
                id=f"{type(estimator).__name__}-{check.__name__}",
                marks=getattr(pytest.mark, tier),
            )
            for estimator in estimators
            for tier, check in _yield_checks(estimator)
        ],
    )
