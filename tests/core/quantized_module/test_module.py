"""A quantized module is a value: compiling gives it a circuit, and changes nothing."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine

from fhe_estimators import (
    DecisionTreeClassifier,
    GradientBoostingRegressor,
    LogisticRegression,
    RandomForestClassifier,
)

MODELS = [
    (
        GradientBoostingRegressor(n_estimators=30, max_depth=3, random_state=0),
        load_diabetes,
    ),
    (RandomForestClassifier(n_estimators=10, max_depth=3, random_state=0), load_wine),
    (DecisionTreeClassifier(max_depth=3), load_wine),
    (LogisticRegression(solver="newton-cholesky"), load_wine),
]


@pytest.mark.simulate
@pytest.mark.parametrize(("model", "load"), MODELS, ids=lambda p: type(p).__name__)
def test_compiling_changes_nothing(model, load):
    X, y = load(return_X_y=True)
    module = model.fit(X, y).quantized_module_
    rows = X[:60]
    q_rows = module.quantize_input(rows)
    before = str(module), str(module.layers), module.output_quantizers
    clear = module.quantized_forward(q_rows), module.scores(rows)
    circuit = model.compile(X, p_error=2**-20)
    assert (str(module), str(module.layers), module.output_quantizers) == before
    np.testing.assert_array_equal(module.quantized_forward(q_rows), clear[0])
    np.testing.assert_array_equal(module.scores(rows), clear[1])
    for mode in ("disable", "simulate"):
        found = module.quantized_forward(q_rows[:5], fhe=mode)
        np.testing.assert_array_equal(found, clear[0][:5])
    np.testing.assert_array_equal(circuit.simulate(q_rows[:5]), clear[0][:5])
    loaded = pickle.loads(pickle.dumps(module))
    np.testing.assert_array_equal(loaded.quantized_forward(q_rows), clear[0])
    assert str(loaded.fhe_circuit.layers) == str(circuit.layers)


@pytest.mark.simulate
def test_a_circuit_may_compute_more_results_than_there_are_outputs():
    model, load = MODELS[0]
    X, y = load(return_X_y=True)
    circuit = model.fit(X, y).compile(p_error=2**-20)
    n_results = circuit.graph.outputs[0].shape[1]
    assert circuit.recombination.scales.shape == (n_results, 1)
    assert n_results > 1
    assert model.quantized_module_.graph.outputs[0].shape == (None, 1)


@pytest.mark.fhe
def test_decrypted_results_are_the_outputs_of_the_module():
    model, load = MODELS[0]
    X, y = load(return_X_y=True)
    module = model.set_params(n_estimators=5).fit(X, y).quantized_module_
    circuit = model.compile(p_error=2**-20)
    q_rows = module.quantize_input(X[:2])
    (decrypted,) = circuit.decrypt(circuit.run(circuit.encrypt(q_rows[:1])))
    expected = module.quantized_forward(q_rows)
    np.testing.assert_array_equal(decrypted, expected[:1])
    np.testing.assert_array_equal(circuit.encrypt_run_decrypt(q_rows), expected)
    np.testing.assert_array_equal(module.dequantize_output(decrypted), module.scores(X[:1]))
