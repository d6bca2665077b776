"""Models of torch and ONNX in the forms that they come in: files, types, constants."""

from importlib.util import find_spec

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.exceptions import GraphError, UnsupportedOperatorError
from fhe_estimators.torch import compile_onnx_model, compile_torch_model, to_numpy_module

# What users' code makes torch say.
pytestmark = [
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore:Constant folding:UserWarning"),
]

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
INDICES = np.random.default_rng(0).integers(0, 5, (60, 3))
EXACT = {"rounding": None, "n_bits": 7, "p_error": 2**-20}


class Net(nn.Module):
    """Two layers with a function of the module and of a tensor in between."""

    def __init__(self, between, n_inputs=4):
        super().__init__()
        torch.manual_seed(0)
        self.between = between
        self.first, self.second = nn.Linear(n_inputs, 3), nn.Linear(3, 2)
        self.embedding = nn.Embedding(5, 4)
        self.row = nn.Parameter(torch.tensor([[1.0, -2.0]]))

    def forward(self, x):
        return self.between(self, x)


def agree(between, rows=X, atol=0.1, n_bits=7):
    """Compile, and compare with torch and the simulated circuit."""
    net = Net(between)
    module = compile_torch_model(net, rows, **{**EXACT, "n_bits": n_bits})
    with torch.no_grad():
        meant = net(torch.from_numpy(rows)).numpy()
    found = module.forward(rows)
    assert found.shape == meant.shape
    np.testing.assert_allclose(found, meant, atol=atol * max(1.0, meant.std()))
    np.testing.assert_array_equal(module.forward(rows[:5], fhe="simulate"), found[:5])
    return module


# Files and protocol buffers --------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    return export_torch(net, [X])


def changed(model):
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def outputs(model):
    return compile_onnx_model(model, X, **EXACT).forward(X)


def test_paths(model, tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    meant = outputs(model)
    np.testing.assert_array_equal(outputs(path), meant)
    np.testing.assert_array_equal(outputs(str(path)), meant)
    np.testing.assert_array_equal(outputs(path.read_bytes()), meant)
    np.testing.assert_array_equal(NumpyModule(path)(X), NumpyModule(model)(X))
    # Weights in a file of their own.
    onnx.save(
        changed(model), path, save_as_external_data=True, size_threshold=0, location="data"
    )
    np.testing.assert_array_equal(outputs(path), meant)


def test_no_model(model, tmp_path):
    (tmp_path / "other").write_bytes(b"no model")
    (tmp_path / "empty").write_bytes(b"")
    for name in ("other", "empty"):
        with pytest.raises(ValueError, match=f"{name} holds no ONNX model"):
            outputs(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="missing"):
        outputs(tmp_path / "missing")
    with pytest.raises(ValueError, match="The bytes hold no ONNX model"):
        outputs(b"no model")
    with pytest.raises(TypeError, match=r"an onnx\.ModelProto, bytes, or the path.*Linear"):
        outputs(nn.Linear(4, 2))
    with pytest.raises(TypeError, match=r"must be a torch.nn.Module; got ModelProto\. Use"):
        compile_torch_model(model, X)


def test_outputs_without_shape_or_type(model):
    meant, bare = outputs(model), changed(model)
    bare.graph.output[0].type.tensor_type.ClearField("shape")
    np.testing.assert_array_equal(outputs(bare), meant)
    bare.graph.output[0].ClearField("type")
    np.testing.assert_array_equal(outputs(bare), meant)


@pytest.mark.parametrize("flat", [False, True])
def test_sparse_initializers(model, flat):
    """Places are given by number, in a flat array, or by axis."""
    (name,) = (t.name for t in model.graph.initializer if list(t.dims) == [3, 4])
    initializers = {t.name: t for t in model.graph.initializer}
    weights = numpy_helper.to_array(initializers.pop(name)).copy()
    weights[np.abs(weights) < 0.2] = 0
    places = np.argwhere(weights)
    if flat:
        places = np.ravel_multi_index(places.T, weights.shape)
    sparse, dense = changed(model), changed(model)
    for copied in (sparse, dense):
        del copied.graph.initializer[:]
        copied.graph.initializer.extend(initializers.values())
    dense.graph.initializer.append(numpy_helper.from_array(weights, name))
    values = numpy_helper.from_array(weights[weights != 0], name)
    indices = numpy_helper.from_array(places.astype(np.int64))
    sparse.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, indices, weights.shape)
    )
    np.testing.assert_array_equal(outputs(sparse), outputs(dense))


# Types of rows ---------------------------------------------------------------------------


def pooled(net, x):
    return net.second(torch.relu(net.first(net.embedding(x).sum(dim=1))))


@pytest.mark.simulate
def test_embedding():
    """The client looks categories up, whatever type they are given in."""
    module = agree(pooled, INDICES)
    floats = module.forward(INDICES.astype(np.float32))
    np.testing.assert_array_equal(floats, module.forward(INDICES))
    with pytest.raises(
        GraphError, match=r"Gather.* takes indices from -5 to 4; got 0 to 7"
    ):
        module.forward(np.array([[0, 1, 7]]))


@pytest.mark.simulate
def test_embedding_of_two_categories():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.embedding, self.linear = nn.Embedding(2, 3), nn.Linear(3, 2)

        def forward(self, x):
            return self.linear(self.embedding(x).sum(dim=1))

    rows = INDICES % 2
    module = compile_torch_model(Two(), rows, **EXACT)
    np.testing.assert_array_equal(
        module.forward(rows, fhe="simulate"), module.forward(rows)
    )


def test_integers_for_an_input_of_floats():
    """They are numbers as others are: a quotient is not rounded."""
    nodes = [
        helper.make_node("Div", ["x", "two"], ["half"]),
        helper.make_node("MatMul", ["half", "w"], ["y"]),
    ]
    constants = {"two": np.float32(2), "w": np.ones((4, 1), np.float32)}
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    rows = np.random.default_rng(0).integers(-9, 9, (50, 4))
    module = compile_onnx_model(model, rows, n_bits=10)
    np.testing.assert_allclose(module.forward(rows)[:, 0], rows.sum(axis=1) / 2, atol=0.1)


def test_rows_that_the_module_does_not_take():
    with pytest.raises(ValueError, match=r"does not take the rows .* of shape \(3,\)"):
        compile_torch_model(nn.Linear(4, 2), X[:, :3])


# Code ------------------------------------------------------------------------------------


def hidden(net, x):
    return net.first(x)


CODE = {
    "zeros_like": lambda net, x: torch.cat([hidden(net, x), torch.zeros_like(x)], 1),
    "ones_like": lambda net, x: torch.relu(
        hidden(net, x) + torch.ones_like(hidden(net, x))
    ),
    "full_like": lambda net, x: (
        torch.relu(net.first(x)) + torch.full_like(net.first(x), 0.5)
    ),
    "zeros": lambda net, x: torch.cat([hidden(net, x), torch.zeros(len(x), 2)], 1),
    "concat_constant": lambda net, x: torch.cat(
        [net.row.expand(len(x), -1), hidden(net, x)], 1
    ),
    "concat_before_layer": lambda net, x: net.second(
        torch.cat([torch.relu(hidden(net, x))[:, :1], net.row.expand(len(x), -1)], 1)
    ),
    "where": lambda net, x: net.second(
        torch.where(hidden(net, x) > 0, hidden(net, x), torch.zeros_like(hidden(net, x)))
    ),
    "where_of_channels": lambda net, x: net.second(
        torch.where(torch.tensor([True, False, True]), hidden(net, x), torch.tensor(0.5))
    ),
    "masked_fill": lambda net, x: net.second(
        torch.relu(hidden(net, x).masked_fill(torch.tensor([True, False, False]), -np.inf))
    ),
    "clamp_to_infinity": lambda net, x: net.second(hidden(net, x).clamp(0, np.inf)),
    "mask_in_clear": lambda net, x: torch.softmax(
        hidden(net, x) + torch.tensor([0.0, -np.inf, 0.0]), dim=1
    ),
}


@pytest.mark.simulate
@pytest.mark.parametrize("name", CODE)
def test_code(name):
    agree(CODE[name])


@pytest.mark.parametrize(
    "between",
    [
        lambda net, x: net.second(torch.relu(hidden(net, x))[torch.tensor([1, 0])]),
        lambda net, x: net.second(torch.relu(hidden(net, x))[1]),
        lambda net, x: net.second(torch.relu(hidden(net, x[torch.tensor([0, 2, 1])]))),
    ],
)
def test_gather_of_rows(between):
    with pytest.raises(
        UnsupportedOperatorError, match=r"Gather.* moves the axis of the rows"
    ):
        compile_torch_model(Net(between), X, **EXACT)


def test_gather_of_rows_that_there_are_not():
    net = Net(lambda net, x: net.second(torch.relu(hidden(net, x))[torch.tensor([0, 99])]))
    with pytest.raises(ValueError, match=r"does not take the rows .* index 99"):
        compile_torch_model(net, X, **EXACT)


def test_infinity_that_is_encrypted():
    pad = nn.ConstantPad1d((0, 1), -np.inf)
    net = Net(lambda net, x: net.second(torch.relu(pad(hidden(net, x)[:, :2]))))
    with pytest.raises(
        GraphError, match=r"node Pad .* encrypted data\. Use finite numbers"
    ):
        compile_torch_model(net, X, **EXACT)
    assert to_numpy_module(net, X)(X).shape == (60, 2)


def test_rounding_of_unknown_layers():
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with pytest.raises(ValueError, match=r"'nope'; those with a table are '/1/Relu_output"):
        compile_torch_model(net, X, n_bits=3, rounding_bits={"nope": 3})
    module = compile_torch_model(net, X, n_bits=3, rounding_bits={"/1/Relu_output_0": 3})
    assert [layer.kept_bits for layer in module.layers if layer.tables] == [3]


# What modules return ---------------------------------------------------------------------


class Several(nn.Module):
    """Returns tensors in a dictionary, some of them in a tuple in it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        return {"logits": self.second(hidden), "parts": (hidden + 1, None, hidden)}


def test_dictionaries_and_tuples_of_results():
    net = Several().eval()
    model = export_torch(net, (X,))
    names = ["logits", "parts.0", "parts.2"]
    assert [value.name for value in model.graph.output] == names
    module = compile_torch_model(net, X, **EXACT)
    with torch.no_grad():
        meant = net(torch.from_numpy(X))
    found = module.forward(X)
    for one, other in zip(found, (meant["logits"], *meant["parts"][::2]), strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=0.1)
    for one, other in zip(found, module.forward(X, fhe="simulate"), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_script():
    torch.manual_seed(0)
    net = torch.jit.script(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)))
    found = compile_torch_model(net, X, **EXACT).forward(X)
    with torch.no_grad():
        np.testing.assert_allclose(found, net(torch.from_numpy(X)).numpy(), atol=0.1)


def test_something_else_in_results():
    class Odd(Several):
        def forward(self, x):
            return self.first(x), "text"

    with pytest.raises(TypeError, match="got str as '1'"):
        export_torch(Odd(), (X,))


@pytest.mark.skipif(find_spec("onnxscript") is not None, reason="It is installed.")
def test_exported_program():
    program = torch.export.export(nn.Linear(4, 2), (torch.from_numpy(X),))
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps onnxscript"):
        compile_torch_model(program, X)
