"""Networks that compute on rows, whatever number of rows they were traced with."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingClassifier
from torch import nn

from fhe_estimators import GraphError
from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.quantized_module import RoundingOptions, deviation
from fhe_estimators.torch import compile_onnx_model, compile_torch_model, to_numpy_module
from tests.converted import converted

X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
UNROUNDED = RoundingOptions(None)


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


PICTURES = np.random.default_rng(1).normal(size=(150, 1, 6, 6)).astype(np.float32)


class OneRow(nn.Module):
    """Code that treats a single row differently, as much code does."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(36, 3)

    def forward(self, x):
        x = x.flatten(1)
        return -self.linear(x) if x.shape[0] == 1 else self.linear(x)


class Pooled(nn.Module):
    """What follows does not take a vector, which a single row would be squeezed to."""

    def __init__(self, last):
        super().__init__()
        self.first, self.pool = nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1)
        self.last = last

    def forward(self, x):
        return self.last(self.pool(torch.relu(self.first(x))).squeeze())


class Stacked(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(36, 3), nn.Linear(36, 3)

    def forward(self, x):
        x = x.flatten(1)
        return torch.stack([self.left(x).squeeze(), self.right(x).squeeze()], dim=1)


class Viewed(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 2, 3), nn.Linear(32, 3)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)).view(len(x), -1))


TRACED = {
    "one row": OneRow,
    "log_softmax": lambda: Pooled(nn.LogSoftmax(dim=1)),
    "batch norm": lambda: Pooled(nn.BatchNorm1d(4)),
    "linear": lambda: Pooled(nn.Linear(4, 2)),
    "stack": Stacked,
    "view": Viewed,
}


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("name", TRACED)
def test_rows_of_a_trace(name):
    net = TRACED[name]()
    net.train()(torch.from_numpy(PICTURES))
    with torch.no_grad():
        expected = net.eval()(torch.from_numpy(PICTURES)).numpy()
    model = export_torch(net, [PICTURES[:1]])
    module = to_quantized_module(
        model, Calibration([PICTURES]), Options(BitWidths(7, 7), rounding=UNROUNDED)
    )
    found = module(PICTURES)
    assert deviation(found, expected) < 0.15
    # A single row gives what it gives among others.
    np.testing.assert_allclose(module(PICTURES[:1]), found[:1], rtol=1e-12)


@pytest.mark.simulate
def test_squeezed_rows_simulated():
    module = compile_torch_model(Pooled(nn.Linear(4, 2)), PICTURES, n_bits=3)
    clear = module.forward(PICTURES[:4])
    np.testing.assert_array_equal(module.forward(PICTURES[:4], fhe="simulate"), clear)
    one = module.forward(PICTURES[:1], fhe="simulate")
    np.testing.assert_array_equal(one, clear[:1])


class Divided(nn.Module):
    def forward(self, x):
        return x / len(x)


class Centred(nn.Module):
    def forward(self, x):
        return x - x.mean(dim=0)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("module", [Divided, Centred])
def test_rows_that_depend_on_other_rows(module):
    with pytest.raises(GraphError, match="other numbers for the same rows"):
        compile_torch_model(nn.Sequential(nn.Linear(4, 3), module()), X)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["xgboost", "lightgbm", "scikit-learn"])
def test_boosters_of_hummingbird(name):
    """Of two classes: the sum over trees is squeezed, then transposed."""
    pytest.importorskip("hummingbird.ml")
    if name == "xgboost":
        # Hummingbird does not know the default of `base_score`.
        xgboost = pytest.importorskip("xgboost")
        model = xgboost.XGBClassifier(n_estimators=5, max_depth=3, base_score=0.5)
    elif name == "lightgbm":
        lightgbm = pytest.importorskip("lightgbm")
        model = lightgbm.LGBMClassifier(n_estimators=5, max_depth=3, verbose=-1)
    else:
        model = GradientBoostingClassifier(n_estimators=5)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    model.fit(X, y)
    net = converted(model, X, tree_implementation="gemm")
    labels, probabilities = to_numpy_module(net, X)(X)
    np.testing.assert_array_equal(labels, model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-6)


def perceptron():
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))


@pytest.mark.simulate
def test_sizes_that_an_onnx_model_leaves_open():
    model = export_torch(perceptron(), [X])
    module = compile_onnx_model(model, X, n_bits=3)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "n_features"
    again = compile_onnx_model(model, X, n_bits=3)
    np.testing.assert_array_equal(again(X), module(X))
    with pytest.raises(ValueError, match=r"got rows of shape \(3,\)"):
        compile_onnx_model(export_torch(perceptron(), [X]), X[:, :3])
