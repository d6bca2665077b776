"""What torch's newer exporters return: programs, and ONNX that is held in memory."""

import importlib.util
import logging

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from fhe_estimators.core.frontends.torch import export_program, export_torch
from fhe_estimators.torch import compile_onnx_model, compile_torch_model

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
EXACT = {"n_bits": 8, "rounding_bits": 8, "p_error": 2**-20}
#: Any number of rows, or as many as the example has.
SHAPES = [None, ({0: torch.export.Dim.DYNAMIC},)]
needs_onnxscript = pytest.mark.skipif(
    importlib.util.find_spec("onnxscript") is None, reason="torch needs it for this"
)


class Two(nn.Module):
    """Returns a dictionary."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.label, self.score = (
            nn.Linear(4, 3),
            nn.Linear(3, 2),
            nn.Linear(3, 1),
        )

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        return {"label": self.label(hidden), "score": self.score(hidden)}


def program(dynamic_shapes):
    net, rows = Two().eval(), torch.from_numpy(X[:5])
    return torch.export.export(net, (rows,), dynamic_shapes=dynamic_shapes)


def check(module):
    with torch.no_grad():
        meant = Two().eval()(torch.from_numpy(X))
    found = module.forward(X)
    assert len(found) == 2
    for one, other in zip(found, meant.values(), strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=0.05)
    for one, other in zip(found, module.forward(X, fhe="simulate"), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(
    importlib.util.find_spec("onnxscript") is not None, reason="it is served then"
)
def test_programs_need_onnxscript():
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps onnxscript"):
        compile_torch_model(program(None), X)


@needs_onnxscript
@pytest.mark.simulate
@pytest.mark.parametrize("shapes", SHAPES)
def test_programs(shapes):
    model = export_program(program(shapes))
    names = [value.name for value in export_torch(Two(), (X,)).graph.output]
    assert [value.name for value in model.graph.output] == names == ["label", "score"]
    check(compile_torch_model(program(shapes), X, **EXACT))


@needs_onnxscript
@pytest.mark.simulate
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("shapes", SHAPES)
def test_onnx_in_memory(shapes):
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    check(compile_onnx_model(torch.onnx.export(program(shapes)), X, **EXACT))


@pytest.mark.simulate
def test_what_holds_a_model():
    """As ``torch.onnx.ONNXProgram`` does, which needs onnxscript to be made."""

    class Holder:
        model_proto = export_torch(Two(), (X,))

    assert isinstance(Holder.model_proto, onnx.ModelProto)
    check(compile_onnx_model(Holder(), X, **EXACT))
