"""Networks of torch and ONNX as quantized modules."""

import numpy as np
import pytest
import torch
from torch import nn

from fhe_estimators import NotCompiledError, UnsupportedOperatorError
from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantized_module import RoundingOptions, deviation
from fhe_estimators.quantization import QuantizedModule
from fhe_estimators.torch import compile_onnx_model, compile_torch_model, to_numpy_module

X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
UNROUNDED = RoundingOptions(None)


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def mlp(dtype=torch.float32):
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).to(dtype)


class TwoInputs(nn.Module):
    """Two inputs and two outputs."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 3), nn.Linear(2, 3)

    def forward(self, x, y):
        return torch.relu(self.first(x)) @ self.second.weight, self.second(y)


def output_of(module, *arrays):
    with torch.no_grad():
        outputs = module.eval()(*(torch.from_numpy(array) for array in arrays))
    several = isinstance(outputs, tuple)
    return tuple(o.numpy() for o in outputs) if several else outputs.numpy()


# Float networks -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_stopping_at_the_numpy_module(dtype):
    net = mlp(dtype)
    module = to_numpy_module(net, X)
    assert isinstance(module, NumpyModule)
    rows = X.astype(np.float64 if dtype is torch.float64 else np.float32)
    np.testing.assert_allclose(module(rows), output_of(net, rows), atol=1e-6)


def test_more_bits_come_closer():
    net = mlp()
    model = export_torch(net, [X[:1]])
    errors = [
        deviation(
            to_quantized_module(
                model, Calibration([X]), Options(BitWidths(bits, bits), rounding=UNROUNDED)
            )(X),
            output_of(net, X),
        )
        for bits in (2, 4, 6)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.06


@pytest.mark.simulate
def test_compile_torch_model():
    module = compile_torch_model(mlp(), torch.from_numpy(X), n_bits=3, p_error=2**-40)
    assert isinstance(module, QuantizedModule)
    assert module.fhe_circuit.p_error == 2**-40
    clear = module.forward(X[:30])
    np.testing.assert_array_equal(module.forward(X[:30], fhe="simulate"), clear)
    assert any(layer.tables for layer in module.layers)


def test_several_inputs_and_outputs():
    net = TwoInputs()
    model = export_torch(net, [X[:1], X[:1, :2]])
    module = to_quantized_module(
        model, Calibration((X, X[:, :2])), Options(BitWidths(7, 7), rounding=UNROUNDED)
    )
    for found, meant in zip(
        module.forward(X, X[:, :2]), output_of(net, X, X[:, :2]), strict=True
    ):
        assert deviation(found, meant) < 0.06


@pytest.mark.simulate
def test_several_inputs_and_outputs_simulated():
    module = compile_torch_model(TwoInputs(), (X, X[:, :2].copy()), n_bits=3)
    clear = module.forward(X[:9], X[:9, :2])
    found = module.forward(X[:9], X[:9, :2], fhe="simulate")
    for some, others in zip(clear, found, strict=True):
        np.testing.assert_array_equal(some, others)


def test_bits_of_parts():
    bits = {"op_inputs": 3, "op_weights": 2, "model_inputs": 6, "model_outputs": 5}
    net = nn.Sequential(nn.ReLU(), nn.Sigmoid())
    module = to_quantized_module(
        export_torch(net, [X[:1]]),
        Calibration([X]),
        Options(BitWidths(**bits), rounding=UNROUNDED),
    )
    widths = module.bit_widths()
    assert widths["input"] == 6
    assert module.graph.outputs[0].bits == 5
    module = to_quantized_module(
        export_torch(mlp(), [X[:1]]),
        Calibration([X]),
        Options(BitWidths(**bits), rounding=UNROUNDED),
    )
    assert [layer.output_bits for layer in module.layers if layer.tables] == [3]


@pytest.mark.simulate
def test_compile_onnx_model():
    model = export_torch(mlp(), [X[:1]])
    module = compile_onnx_model(model, X, n_bits=3, rounding_bits=4)
    np.testing.assert_array_equal(module(X[:9], fhe="simulate"), module(X[:9]))


def test_unsupported_operator():
    class Sorted(nn.Module):
        def forward(self, x):
            return torch.topk(x, 2)[0]

    with pytest.raises(UnsupportedOperatorError, match=r"TopK.*[Ss]upported"):
        compile_torch_model(Sorted(), X)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"calibration": "median"}, "'calibration' must be one of"),
        ({"p_error": 0.0}, r"'p_error' parameter .* must be a float in \(0, 1\)"),
        ({"rounding": "never"}, "'rounding' must be one of"),
        ({"n_bits": 0}, "'n_bits'"),
        ({"n_bits": {"inputs": 3}}, "must have the key op_inputs or op_weights"),
    ],
)
def test_wrong_parameters(wrong, message):
    with pytest.raises(ValueError, match=message):
        compile_torch_model(mlp(), X, **wrong)


def test_wrong_inputset():
    with pytest.raises(ValueError, match="same number of rows, at least one"):
        compile_torch_model(TwoInputs(), (X, X[:7, :2]))
    with pytest.raises(ValueError, match=r"got shapes \[\(0, 4\)\]"):
        compile_torch_model(mlp(), X[:0])


def test_no_circuit_before_compilation():
    module = to_quantized_module(
        export_torch(mlp(), [X[:1]]), Calibration([X]), Options(BitWidths(3, 3))
    )
    with pytest.raises(NotCompiledError):
        module.fhe_circuit  # noqa: B018
