"""Networks of torch, Brevitas and ONNX as quantized modules."""

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    ShiftedUint8ActPerTensorFloatHQO,
    SignedBinaryActPerTensorConst,
    SignedTernaryActPerTensorConst,
)
from torch import nn

from fhe_estimators import NotCompiledError, UnsupportedOperatorError
from fhe_estimators.core.frontends.brevitas import export_brevitas
from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantized_module import RoundingOptions, deviation
from fhe_estimators.quantization import QuantizedModule
from fhe_estimators.torch import (
    compile_brevitas_qat_model,
    compile_onnx_model,
    compile_torch_model,
    to_numpy_module,
)

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


# Networks of Brevitas -------------------------------------------------------------------


def identity(bits, **options):
    return qnn.QuantIdentity(bit_width=bits, return_quant_tensor=True, **options)


class Dense(nn.Module):
    """Quantized layers with functions of one number between them."""

    def __init__(self, between, weight_quant=Int8WeightPerChannelFloat, bias=True):
        super().__init__()
        self.enter = identity(3)
        self.first = qnn.QuantLinear(
            4, 5, bias=bias, weight_bit_width=3, weight_quant=weight_quant
        )
        self.between, self.middle = between, identity(3)
        self.last = qnn.QuantLinear(
            5, 3, bias=bias, weight_bit_width=2, weight_quant=weight_quant
        )

    def forward(self, x):
        x = self.first(self.enter(x))
        return self.last(self.middle(self.between(x)))


class Standardized(Dense):
    """What precedes the first quantizer is computed by the client."""

    def forward(self, x):
        return super().forward((x - 0.5) / 2)


class ReLUs(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            identity(4),
            qnn.QuantLinear(4, 6, bias=True, weight_bit_width=4),
            qnn.QuantReLU(bit_width=3, return_quant_tensor=True),
            qnn.QuantLinear(6, 6, bias=False, weight_bit_width=2),
            qnn.QuantHardTanh(
                bit_width=3, min_val=-1.0, max_val=1.0, return_quant_tensor=True
            ),
            qnn.QuantLinear(6, 2, bias=True, weight_bit_width=3),
        )

    def forward(self, x):
        return self.layers(x)


def convolution(n_in, n_out, size, **options):
    return qnn.QuantConv2d(
        n_in,
        n_out,
        size,
        weight_bit_width=3,
        weight_quant=Int8WeightPerChannelFloat,
        **options,
    )


class Pictures(nn.Module):
    """Takes rows of four numbers as pictures of 6 x 6."""

    def __init__(self):
        super().__init__()
        self.enter = identity(3)
        self.register_buffer("spread", torch.linspace(-1, 1, 36).reshape(6, 6))

    def forward(self, x):
        pictures = x[:, :1, None, None] * self.spread + x[:, 1:2, None, None]
        return self.body(self.enter(pictures)).flatten(1)


class Convolutional(Pictures):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            convolution(1, 4, 3, stride=2, padding=1, bias=True),
            nn.BatchNorm2d(4),
            qnn.QuantReLU(bit_width=3, return_quant_tensor=True),
            convolution(4, 4, 2, groups=2),
            nn.Sigmoid(),
            identity(2),
            convolution(4, 2, 2, bias=False),
        )


class Averaged(Pictures):
    """An average of quantized numbers, truncated to fewer bits."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            convolution(1, 3, 3, bias=False),
            qnn.QuantReLU(bit_width=3, return_quant_tensor=True),
            qnn.TruncAvgPool2d(2, stride=2, bit_width=3, return_quant_tensor=True),
            convolution(3, 2, 2, bias=True),
        )


class Residual(Pictures):
    """What a layer adds to its input, on a common grid."""

    def __init__(self):
        super().__init__()
        self.layer = convolution(1, 1, 3, padding=1, bias=True)
        self.relu = qnn.QuantReLU(bit_width=3, return_quant_tensor=True)
        self.add = qnn.QuantEltwiseAdd(
            input_quant=Int8ActPerTensorFloat, output_quant=None, input_bit_width=4
        )
        self.last = convolution(1, 2, 4, bias=True)

    def body(self, x):
        return self.last(self.add(x, self.relu(self.layer(x))))


NETS = {
    "convolutions": Convolutional,
    "average": Averaged,
    "residual": Residual,
    "relu": lambda: Dense(nn.ReLU()),
    "sigmoid": lambda: Dense(nn.Sigmoid()),
    "tanh": lambda: Dense(nn.Tanh()),
    "gelu, weights per tensor": lambda: Dense(nn.GELU(), Int8WeightPerTensorFixedPoint),
    "no bias": lambda: Dense(nn.LeakyReLU(), bias=False),
    "standardized": lambda: Standardized(nn.ReLU()),
    "quantized relus": ReLUs,
}


def trained(name):
    """Return a network after some steps of training.

    Before any, scales are quotients of numbers seen, and accumulators may lie in the very
    middle between two integers: there the rounding errors of single precision decide.
    """
    net = NETS[name]()
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    rows, target = torch.from_numpy(X), torch.from_numpy(X[:, :1] * X[:, 1:2])
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(rows).mean(dim=1, keepdim=True), target).backward()
        optimizer.step()
    return net.eval()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NETS)
def test_brevitas_is_reproduced(name):
    net = trained(name)
    expected = output_of(net, X)
    model = export_brevitas(net, [X[:1]])
    np.testing.assert_allclose(NumpyModule(model)(X), expected, atol=1e-5)
    module = to_quantized_module(model, Calibration([X[:20]]), Options(rounding=UNROUNDED))
    np.testing.assert_allclose(module(X), expected, atol=1e-5)
    # Beyond what the quantizers were trained on, too.
    np.testing.assert_allclose(module(5 * X), output_of(net, 5 * X), atol=1e-5)
    n_tables = {"convolutions": 2, "quantized relus": 2, "average": 2, "residual": 3}
    assert sum(layer.operator == "TableLookup" for layer in module.layers) == n_tables.get(
        name, 1
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "quantizer",
    [
        SignedBinaryActPerTensorConst,
        SignedTernaryActPerTensorConst,
        ShiftedUint8ActPerTensorFloatHQO,  # its zero point is no integer
    ],
)
def test_quantizers_of_inputs(quantizer):
    """The client encrypts their integers, also those of numbers at their steps."""
    net = Dense(nn.ReLU())
    net.enter = qnn.QuantIdentity(act_quant=quantizer, return_quant_tensor=True)
    rows = X.copy()
    rows[:40] = np.rint(rows[:40])
    net.train()(torch.from_numpy(rows))
    expected = output_of(net, rows)
    module = to_quantized_module(
        export_brevitas(net, [rows]),
        Calibration([rows]),
        Options(BitWidths(4, 4), rounding=UNROUNDED),
    )
    np.testing.assert_allclose(module(rows), expected, atol=1e-5)
    assert sum(layer.operator == "TableLookup" for layer in module.layers) == 1


@pytest.mark.simulate
@pytest.mark.filterwarnings("ignore")
def test_compile_brevitas():
    net = trained("tanh")
    module = compile_brevitas_qat_model(net, X, p_error=2**-40)
    found = module.forward(X[:40], fhe="simulate")
    np.testing.assert_allclose(found, output_of(net, X[:40]), atol=1e-5)


@pytest.mark.fhe
@pytest.mark.filterwarnings("ignore")
def test_brevitas_encrypted():
    net = trained("relu")
    module = compile_brevitas_qat_model(
        net, X, rounding="exact", rounding_bits=3, p_error=2**-40
    )
    found = module.forward(X[:3], fhe="execute")
    np.testing.assert_array_equal(found, module.forward(X[:3]))
