"""Weights of rows while skorch trains, and training that goes on."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from fhe_estimators import SkorchClassifier, SkorchRegressor, convert
from tests.neural_network.nets import classifier, regressor

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


def model(**options):
    net = classifier(module__n_inputs=3, module__n_outputs=2, batch_size=-1, **options)
    return SkorchClassifier(net, n_bits=3, rounding_bits=4, random_state=0)


def outputs(fitted):
    return fitted.net_.module_(torch.tensor(X, dtype=torch.float32)).detach().numpy()


def test_weights_are_as_good_as_repeated_rows():
    """All rows are one batch, and the optimizer has no memory of how many there were."""
    weights = np.arange(len(X)) % 3
    options = {"optimizer": torch.optim.SGD, "lr": 0.1, "max_epochs": 5}
    weighted = model(**options).fit(X, Y, sample_weight=weights)
    repeated = model(**options).fit(np.repeat(X, weights, 0), np.repeat(Y, weights))
    plain = model(**options).fit(X, Y)
    np.testing.assert_allclose(outputs(weighted), outputs(repeated), atol=1e-5)
    assert np.abs(outputs(weighted) - outputs(plain)).max() > 1e-3
    assert type(weighted.net_) is type(weighted.net)


def test_training_goes_on():
    one = model(max_epochs=2).partial_fit(X[:30], Y[:30], classes=[0, 1])
    before = outputs(one)
    one.partial_fit(X[30:], Y[30:], sample_weight=np.ones(30))
    assert np.abs(outputs(one) - before).max() > 0
    assert len(one.history_) == 4
    again = model(max_epochs=2).fit(X[:30], Y[:30])
    np.testing.assert_array_equal(outputs(again), before)
    with pytest.raises(ValueError, match="not among the classes"):
        one.partial_fit(X[:2], [0, 7])
    with pytest.raises(ValueError, match="3 features"):
        one.partial_fit(X[:, :2], Y)


def test_a_criterion_without_reduction():
    class Own(torch.nn.Module):
        def forward(self, output, target):
            return (output**2).mean()

    with pytest.raises(ValueError, match="reduction"):
        model(criterion=Own).fit(X, Y, sample_weight=np.ones(60))


def test_fitted_nets_of_skorch():
    net = classifier(module__n_inputs=3, module__n_outputs=2)
    net.fit(X.astype(np.float32), Y)
    twin = SkorchClassifier.from_skorch(net, X, n_bits=8)
    assert twin.n_bits == 8
    assert np.mean(twin.predict(X) == net.predict(X.astype(np.float32))) > 0.9
    assert type(convert(net, X)) is SkorchClassifier
    numbers = regressor(module__n_inputs=3, module__n_outputs=1)
    numbers.fit(X.astype(np.float32), X[:, :1].astype(np.float32))
    assert type(convert(numbers, X)) is SkorchRegressor
    with pytest.raises(TypeError, match="needs rows X"):
        SkorchClassifier.from_skorch(net)
    with pytest.raises(TypeError, match="fitted net of skorch"):
        SkorchClassifier.from_skorch(object(), X)
    assert clone(twin).get_params()["n_bits"] == 8
