"""Nets of skorch as estimators that predict on encrypted data."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from torch import nn

from fhe_estimators import SkorchClassifier, SkorchRegressor
from fhe_estimators.neural_network import SparseQuantNeuralNetwork
from tests.neural_network.nets import (
    BrevitasPerceptron,
    Perceptron,
    ShapeSetter,
    binary_classifier,
    classifier,
    regressor,
)


@pytest.fixture(scope="module")
def rows(wine):
    X, y = wine
    return StandardScaler().fit_transform(X)[:, :4], np.array(["a", "b", "c"])[y]


def wrapped(net, **parameters):
    return SkorchClassifier(net, **{"random_state": 0, **parameters})


def trained_proba(model, X):
    """Return the probabilities of the trained net, not of its integers."""
    # skorch's data loader draws a number.
    with torch.random.fork_rng():
        return model.net_.predict_proba(X.astype(np.float32))


def test_float_module_is_quantized(rows):
    X, y = rows
    model = wrapped(classifier(), n_bits=6, rounding=None, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.85
    np.testing.assert_allclose(model.predict_proba(X), trained_proba(model, X), atol=0.2)
    assert set(model.predict(X)) == {"a", "b", "c"}


@pytest.mark.parametrize("module", [BrevitasPerceptron, SparseQuantNeuralNetwork])
def test_trained_integers_are_used(rows, module):
    X, y = rows
    net = classifier(module, module__n_inputs=4, module__n_outputs=3)
    model = wrapped(net, rounding=None, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.75
    # In single precision a few numbers may be rounded to the other side.
    far = np.abs(model.predict_proba(X) - trained_proba(model, X)).max(axis=1) > 1e-5
    assert far.mean() < 0.02


@pytest.mark.simulate
def test_rounding(rows):
    """Sums in front of tables are rounded as asked for, `auto` by default."""
    X, y = rows
    widths = {}
    for bits in ("auto", 3):
        model = wrapped(classifier(), n_bits=5, rounding_bits=bits).fit(X, y)
        widths[bits] = max(e.kept_bits for e in model.quantized_module_.layers if e.tables)
        np.testing.assert_array_equal(
            model.predict_proba(X, fhe="simulate"), model.predict_proba(X)
        )
    assert widths[3] == 3
    assert widths["auto"] <= 8


def test_two_classes(rows):
    X, y = rows
    binary = np.where(y == "a", "yes", "no")
    model = wrapped(binary_classifier(), n_bits=6, rounding=None).fit(X, binary)
    assert model.score(X, binary) > 0.9
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (len(X), 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_probabilities_as_outputs(rows):
    """With skorch's default criterion, the module itself ends in a softmax."""
    X, y = rows
    model = wrapped(
        classifier(Probabilities, criterion=nn.NLLLoss), n_bits=6, rounding=None
    ).fit(X, y)
    assert model.score(X, y) > 0.8
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    # The softmax is the client's.
    assert [node.op for node in model.quantized_module_.clear_module.graph] == ["Softmax"]


class Probabilities(Perceptron):
    def forward(self, x):
        return torch.softmax(super().forward(x), dim=1)


def test_regression(diabetes):
    X, y = diabetes
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    net = regressor(module__n_inputs=10, module__n_outputs=1)
    model = SkorchRegressor(net, n_bits=6, rounding=None, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.4
    both = clone(model).set_params(net__module__n_outputs=2).fit(X, np.c_[y, -y])
    assert both.predict(X).shape == (len(X), 2)


#: Ways to give one number for each row.
ENDS = {
    "column": lambda y: y,
    "squeezed": lambda y: y.squeeze(),
    "squeezed axis": lambda y: y.squeeze(-1),
    "first column": lambda y: y[:, 0],
    "flat": lambda y: y.flatten(),
}


class OneNumber(Perceptron):
    def __init__(self, n_inputs, end):
        super().__init__(n_inputs, 1)
        self.end = ENDS[end]

    def forward(self, x):
        return self.end(super().forward(x))


@pytest.mark.parametrize("end", ENDS)
def test_regression_as_in_skorch(end, diabetes):
    """With the seed of skorch, and targets of the shape that skorch asks for."""
    X, y = diabetes
    X, y = StandardScaler().fit_transform(X).astype(np.float32), (y - y.mean()) / y.std()
    net = regressor(OneNumber, module__n_inputs=10, module__end=end)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        target = y[:, np.newaxis] if end == "column" else y
        plain = clone(net).fit(X, target.astype(np.float32))
        torch.manual_seed(0)
        model = SkorchRegressor(net, rounding=None, n_bits=7).fit(X, y)
    np.testing.assert_array_equal(model.net_.predict(X), plain.predict(X))
    expected = r2_score(y, plain.predict(X))
    assert expected > 0.4
    assert abs(model.score(X, y) - expected) < 0.02
    assert model.predict(X).shape == (len(X),)
    np.testing.assert_allclose(model.predict(X[:1]), model.predict(X)[:1])


@pytest.mark.parametrize("end", ENDS)
def test_two_classes_as_in_skorch(end, rows):
    X, y = rows[0].astype(np.float32), (rows[1] == "a").astype(np.float32)
    net = binary_classifier(OneNumber, module__n_inputs=4, module__end=end)
    del net.module__n_outputs
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain = clone(net).fit(X, y)
        torch.manual_seed(0)
        model = wrapped(net, rounding=None, n_bits=7, random_state=None).fit(X, y)
    np.testing.assert_array_equal(model.net_.predict_proba(X), plain.predict_proba(X))
    assert abs(model.score(X, y) - plain.score(X, y)) < 0.02
    assert model.predict_proba(X).shape == plain.predict_proba(X).shape
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=0.2)
    np.testing.assert_allclose(model.predict_proba(X[:1]), model.predict_proba(X)[:1])


def test_one_number_for_several_targets(diabetes):
    X, y = diabetes
    net = regressor(OneNumber, module__n_inputs=10, module__end="flat")
    with pytest.raises(ValueError, match="one number for each row, but y has 2 columns"):
        SkorchRegressor(net).fit(X, np.c_[y, y])


@pytest.mark.simulate
def test_one_number_simulated(diabetes):
    X, y = diabetes
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    net = regressor(OneNumber, module__n_inputs=10, module__end="squeezed")
    model = SkorchRegressor(net, n_bits=3, random_state=0).fit(X, y)
    for part in (X[:3], X[:1]):
        found = model.predict(part, fhe="simulate")
        np.testing.assert_array_equal(found, model.predict(part))


def test_nested_parameters(rows):
    X, y = rows
    pipe = make_pipeline(StandardScaler(), wrapped(classifier(), rounding=None, n_bits=4))
    grid = {
        "skorchclassifier__net__lr": [1e-6, 0.05],
        "skorchclassifier__net__module__n_neurons": [5, 6],
    }
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    best = search.best_estimator_[-1]
    assert best.net_.lr == 0.05
    assert best.net_.module_.layers[0].out_features in (5, 6)


def test_net_is_cloned(rows):
    X, y = rows
    net = classifier()
    model = wrapped(net, rounding=None, n_bits=3).fit(X, y)
    assert model.net is net
    assert not net.initialized_
    assert model.net_ is not net


def test_callbacks_may_set_the_shape(rows):
    X, y = rows
    net = classifier(callbacks=[ShapeSetter()], module__n_inputs=99, module__n_outputs=77)
    model = wrapped(net, rounding=None, n_bits=3).fit(X, y)
    assert model.net_.module_.layers[0].in_features == 4


@pytest.mark.parametrize("module", [Perceptron, SparseQuantNeuralNetwork])
def test_seed(rows, module):
    X, y = rows
    net = classifier(module, module__n_inputs=4, module__n_outputs=3)
    state = torch.get_rng_state()
    models = [
        wrapped(net, random_state=seed, rounding=None, n_bits=3).fit(X, y)
        for seed in (0, 0, 1)
    ]
    one, two, three = (trained_proba(model, X) for model in models)
    np.testing.assert_array_equal(one, two)
    assert (one != three).any()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("module", [Perceptron, BrevitasPerceptron])
def test_pickle(rows, module):
    X, y = rows
    model = wrapped(classifier(module), rounding=None, n_bits=3).fit(X, y)
    state = torch.get_rng_state()
    loaded = pickle.loads(pickle.dumps(model))
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(trained_proba(loaded, X), trained_proba(model, X))
    assert loaded.history_ == model.history_


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"net": Perceptron()}, ValueError, "'net'"),
        ({"net": classifier(module__n_outputs=5)}, ValueError, "5 classes.* 3"),
        ({"rounding": "sometimes"}, ValueError, "'rounding'"),
        ({"rounding_bits": "few"}, ValueError, "'rounding_bits'"),
        ({"n_bits": 17}, ValueError, "'n_bits'"),
    ],
)
def test_wrong_parameters(rows, parameters, error, words):
    model = wrapped(classifier()).set_params(**parameters)
    with pytest.raises(error, match=words):
        model.fit(*rows)


def test_approximate_rounding_is_not_exact():
    for rounding in ("exact", None, "approximate"):
        tags = get_tags(wrapped(classifier(), rounding=rounding))
        assert tags.fhe_tags.exact == (rounding != "approximate")
