"""Networks of Brevitas as quantized modules, on the integers of their training."""

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

from fhe_estimators.core.frontends.brevitas import export_brevitas
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.torch import compile_brevitas_qat_model
from tests.test_torch import UNROUNDED, X, output_of, seeded

__all__ = ["seeded"]  # a fixture


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
