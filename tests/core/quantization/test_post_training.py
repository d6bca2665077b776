"""Trained models of torch, through every stage, to encrypted predictions."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from fhe_estimators.core.engine import ClearEngine
from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantization import InputRange, quantize
from fhe_estimators.core.quantized_module import RoundingOptions
from fhe_estimators.core.rewrite import cut
from fhe_estimators.quantization import QuantizedModule
from tests.converted import converted

ROWS = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)


def perceptron(*activations, seed=0):
    """Return layers of 4, 5, ..., 5 and 3 neurons with activations in between."""
    torch.manual_seed(seed)
    layers, width = [], 4
    for activation in activations:
        layers += [torch.nn.Linear(width, 5), activation]
        width = 5
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, 3))


def scores_of(net, rows=ROWS):
    with torch.no_grad():
        return net(torch.from_numpy(rows)).numpy()


def lowered(net, input_bits, weight_bits, rows=ROWS):
    model = export_torch(net, [rows[:2]])
    return to_quantized_module(
        model,
        Calibration([rows]),
        Options(BitWidths(input_bits, weight_bits), rounding=RoundingOptions(None)),
    )


def relative_error(module, net):
    expected = scores_of(net)
    return np.sqrt(np.mean((module.scores(ROWS) - expected) ** 2)) / np.ptp(expected)


@pytest.fixture(scope="module")
def net():
    return perceptron(torch.nn.ReLU())


@pytest.fixture(scope="module")
def small(net):
    """A module with few bits, compiled."""
    module = lowered(net, 3, 2)
    module.compile()
    return module


def test_float_graph_is_the_model(net):
    module = NumpyModule(export_torch(net, [ROWS[:2]]))
    np.testing.assert_allclose(module(ROWS), scores_of(net), rtol=1e-5, atol=1e-6)


def test_eight_bits_are_close_to_the_model(net):
    module = lowered(net, 8, 7)
    assert [node.op for node in module.graph if node.op != "Add"] == [
        *("MatMul", "TableLookup", "MatMul")
    ]
    assert module.input_quantizers[0].n_bits == 8
    assert relative_error(module, net) < 0.01
    agreement = module.forward(ROWS).argmax(axis=1) == scores_of(net).argmax(axis=1)
    assert agreement.mean() > 0.97


def test_more_bits_are_closer(net):
    errors = [relative_error(lowered(net, bits, bits), net) for bits in range(2, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 10 * errors[-1]


@pytest.mark.parametrize(
    "activation",
    [
        torch.nn.CELU,
        torch.nn.ELU,
        torch.nn.GELU,
        torch.nn.Hardsigmoid,
        torch.nn.Hardswish,
        torch.nn.Hardtanh,
        torch.nn.LeakyReLU,
        torch.nn.LogSigmoid,
        torch.nn.Mish,
        torch.nn.PReLU,
        torch.nn.ReLU6,
        torch.nn.SELU,
        torch.nn.SiLU,
        torch.nn.Sigmoid,
        torch.nn.Softplus,
        torch.nn.Softsign,
        torch.nn.Tanh,
        torch.nn.Tanhshrink,
    ],
)
def test_activation_is_one_table(activation):
    """However many operators it is exported as."""
    net = perceptron(activation())
    module = lowered(net, 7, 6)
    assert [node.op for node in module.graph if node.op != "Add"] == [
        *("MatMul", "TableLookup", "MatMul")
    ]
    assert relative_error(module, net) < 0.03


def test_any_integers_stay_in_their_ranges():
    module = lowered(perceptron(torch.nn.Tanh(), torch.nn.ReLU()), 5, 4)
    assert [node.op for node in module.graph].count("TableLookup") == 2
    q = np.random.default_rng(1).integers(-16, 15, (500, 4), endpoint=True)
    expected = module.quantized_forward(q)
    module.compile(engine=ClearEngine())
    result = module.quantized_forward(q, fhe="execute")
    np.testing.assert_array_equal(result, expected)


@pytest.mark.simulate
def test_simulation_equals_clear(small):
    simulated = small.scores(ROWS, fhe="simulate")
    np.testing.assert_array_equal(simulated, small.scores(ROWS))
    assert small.fhe_circuit.programmable_bootstrap_count == 5


@pytest.mark.simulate
def test_simulation_of_tables_in_front_of_the_first_product():
    """Each feature has its own scale, hence its own table, if the client makes none."""
    net = torch.nn.Sequential(torch.nn.Tanh(), *perceptron(torch.nn.ReLU()))
    rows = ROWS * np.array([0.5, 1, 2, 4], np.float32)
    graph = NumpyModule(export_torch(net, [rows[:2]])).graph
    encrypted, clear = cut(graph)
    integers = quantize(encrypted, [rows], BitWidths(3, 3))
    module = QuantizedModule(*integers, NumpyModule(clear))
    tables = [node for node in module.graph if node.op == "TableLookup"]
    shapes = [module.graph.constants[node.inputs[1]].shape for node in tables]
    assert shapes[0] == (8, 4)
    assert shapes[1][1:] == (5,)
    simulated = module.scores(rows[:20], fhe="simulate")
    np.testing.assert_array_equal(simulated, module.scores(rows[:20]))


@pytest.mark.fhe
def test_encrypted_equals_clear(small):
    encrypted = small.scores(ROWS[:2], fhe="execute")
    np.testing.assert_array_equal(encrypted, small.scores(ROWS[:2]))


@pytest.fixture(scope="module")
def valley():
    """A module, and integers: its result is negative, but at no end of the input range.

    It computes -|x + 5| + |x| + |x| - |x - 5| for positive parts | |, on exact integers.
    """
    hidden, output = torch.nn.Linear(1, 4), torch.nn.Linear(4, 1)
    hidden.weight.data = torch.ones(4, 1)
    hidden.bias.data = torch.tensor([5.0, 0.0, 0.0, -5.0])
    output.weight.data = torch.tensor([[-1.0, 1.0, 1.0, -1.0]])
    output.bias.data = torch.zeros(1)
    rows = np.linspace(-10, 10, 41, dtype=np.float32)[:, np.newaxis]
    model = export_torch(torch.nn.Sequential(hidden, torch.nn.ReLU(), output), [rows])
    ends = InputRange(np.array([-10.0]), np.array([10.0]))
    module = to_quantized_module(
        model,
        Calibration([rows], ranges=[ends]),
        Options(BitWidths(4, 2), rounding=RoundingOptions(None)),
    )
    assert module.quantized_forward(np.array([[-8], [7]])).min() == 0
    module.compile()
    return module, np.arange(-8, 8)[:, np.newaxis]


@pytest.mark.simulate
def test_results_that_no_example_of_the_engine_makes_negative(valley):
    """The engine takes signs from examples; it has to be told them."""
    module, q = valley
    expected = module.quantized_forward(q)
    assert expected.min() < 0
    np.testing.assert_array_equal(module.quantized_forward(q, fhe="simulate"), expected)


@pytest.mark.fhe
def test_encrypted_results_that_no_example_makes_negative(valley):
    module, q = valley
    lowest = q[[module.quantized_forward(q).argmin()]]
    encrypted = module.quantized_forward(lowest, fhe="execute")
    np.testing.assert_array_equal(encrypted, module.quantized_forward(lowest))


def test_model_converted_by_hummingbird(breast_cancer):
    """Another exporter's graph: casts, a comparison and a gather around the product."""
    X, y = breast_cancer
    X = StandardScaler().fit_transform(X).astype(np.float32)
    model = LogisticRegression().fit(X, y)
    exported = export_torch(converted(model, X[:2]), [X[:2]])
    classes, probabilities = NumpyModule(exported)(X)
    np.testing.assert_array_equal(classes, model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5)

    module = to_quantized_module(exported, Calibration([X]), Options(BitWidths(8, 8)))
    assert [node.op for node in module.graph] == ["MatMul"]
    expected = model.decision_function(X)[:, np.newaxis]
    scores = module.scores(X)
    np.testing.assert_allclose(scores, expected, atol=0.01 * np.ptp(expected))
    classes, probabilities = module.forward(X)
    assert np.mean(classes == model.predict(X)) > 0.99
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
