"""What users of skorch do with a net: callbacks, dicts of rows, nets that are fitted."""

import numpy as np
import pytest
import skorch
import torch
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Checkpoint, EarlyStopping, EpochScoring, LRScheduler
from torch import nn

from fhe_estimators import (
    NeuralNetClassifier,
    NeuralNetRegressor,
    SkorchClassifier,
    SkorchRegressor,
)
from tests.neural_network.nets import Perceptron, binary_classifier, classifier, regressor

X = np.random.default_rng(0).normal(size=(80, 4))
y = (X[:, 0] > 0).astype(np.int64)
ROWS = X.astype(np.float32)


def quick(cls=NeuralNetClassifier, **parameters):
    return cls(**{"max_epochs": 5, "random_state": 0, **parameters})


@pytest.mark.parametrize("callback", [EarlyStopping(), Checkpoint(), ("es", EarlyStopping)])
def test_callbacks_that_need_rows_held_out(callback, tmp_path):
    if isinstance(callback, Checkpoint):
        callback = Checkpoint(dirname=str(tmp_path))
    model = quick(callbacks=[callback])
    with pytest.raises(ValueError, match=r"'callbacks'.* held out.*early_stopping=True"):
        model.fit(X, y)
    model.set_params(early_stopping=True).fit(X, y)
    assert "valid_loss" in model.history_[-1]


def test_early_stopping_on_training_rows():
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=10.0)
    model = quick(callbacks=[stopping], max_epochs=50).fit(X, y)
    assert len(model.history_) < 50


@pytest.mark.parametrize("use_caching", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_of_training_rows(n_classes, use_caching):
    labels = np.digitize(X[:, 0], [0.0, 0.5][: n_classes - 1])
    scoring = EpochScoring(
        "accuracy", on_train=True, name="accuracy", use_caching=use_caching
    )
    model = quick(callbacks=[scoring], max_epochs=20, n_accum_bits=8).fit(
        X, np.array(["a", "b", "c"])[labels]
    )
    found = model.history_[:, "accuracy"]
    assert len(found) == 20
    assert found[-1] == pytest.approx(
        model.score(X, np.array(["a", "b", "c"])[labels]), abs=0.1
    )
    assert "valid_acc" not in model.history_[-1]


def test_scores_of_rows_held_out():
    scoring = EpochScoring("r2", name="r2")
    model = quick(NeuralNetRegressor, callbacks=[scoring], early_stopping=True)
    model.fit(X, X[:, 0])
    assert all(np.isfinite(model.history_[:, "r2"]))


def test_callbacks_that_are_none():
    for wrong in ([1], ["EarlyStopping"], [("es", 1)], [object]):
        with pytest.raises(ValueError, match="'callbacks' must be a list of skorch"):
            quick(callbacks=wrong).fit(X, y)
    schedule = [LRScheduler("StepLR", step_size=1)]
    assert len(quick(callbacks=schedule).fit(X, y).history_) == 5


# Rows with more beside them --------------------------------------------------------------


class Weighted(Perceptron):
    """A module that is given the weights of rows, and leaves them to the loss."""

    def forward(self, X, sample_weight=None):
        return super().forward(X)


class WeightedNet(skorch.NeuralNetClassifier):
    """As the documentation of skorch weighs rows."""

    def get_loss(self, y_pred, y_true, X, *args, **kwargs):
        losses = super().get_loss(y_pred, y_true, X, *args, **kwargs)
        return (losses * X["sample_weight"]).mean()


def weighted_net():
    return WeightedNet(
        Weighted,
        module__n_outputs=2,
        criterion=nn.CrossEntropyLoss,
        criterion__reduction="none",
        optimizer=torch.optim.Adam,
        lr=0.05,
        max_epochs=60,
        train_split=None,
        verbose=0,
    )


def test_dict_of_rows():
    """Rows of weight zero, with the wrong label, change nothing."""
    flipped = np.r_[y, 1 - y]
    rows = {"X": np.r_[X, X], "sample_weight": np.r_[np.ones(80), np.zeros(80)]}
    model = SkorchClassifier(weighted_net(), random_state=0, rounding=None)
    assert model.fit(rows, flipped).score(X, y) > 0.9
    assert model.n_features_in_ == 4


def test_wrong_dicts():
    model = SkorchClassifier(weighted_net(), random_state=0)
    with pytest.raises(ValueError, match="rows under the key 'X'; got the keys 'rows'"):
        model.fit({"rows": X}, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit({"X": X, "sample_weight": np.ones(3)}, y)
    model.fit({"X": X, "sample_weight": np.ones(80)}, y)
    with pytest.raises(TypeError, match=r"predicted from rows alone.*X\['X'\]"):
        model.predict({"X": X, "sample_weight": np.ones(80)})


# Nets that are fitted --------------------------------------------------------------------


@pytest.mark.parametrize("make", [classifier, binary_classifier])
def test_fitted_classifier(make):
    torch.manual_seed(0)
    options = {"module__n_outputs": 2} if make is classifier else {}
    net = make(**options).fit(ROWS, y if make is classifier else y.astype(np.float32))
    before = [p.detach().clone() for p in net.module_.parameters()]
    model = SkorchClassifier.from_sklearn_model(net, X, n_bits=7)
    assert np.mean(model.predict(X) == net.predict(ROWS)) > 0.95
    np.testing.assert_array_equal(model.classes_, [0, 1])
    assert model.n_bits == 7
    assert all(map(torch.equal, before, net.module_.parameters()))
    assert model.net_ is not net


class Flat(Perceptron):
    def forward(self, x):
        return super().forward(x)[:, 0]


@pytest.mark.parametrize("flat", [False, True])
def test_fitted_regressor(flat):
    torch.manual_seed(0)
    target = ROWS[:, 0] if flat else ROWS[:, :1]
    net = regressor(Flat if flat else Perceptron, module__n_outputs=1).fit(ROWS, target)
    model = SkorchRegressor.from_sklearn_model(net, X, n_bits=8, p_error=2**-20)
    meant = net.predict(ROWS)
    assert model.predict(X).shape == meant.shape
    assert np.corrcoef(model.predict(X).ravel(), meant.ravel())[0, 1] > 0.98
    assert model.p_error == 2**-20


def test_what_is_no_fitted_net():
    with pytest.raises(NotFittedError):
        SkorchClassifier.from_sklearn_model(classifier(), X)
    with pytest.raises(
        TypeError,
        match=r"SkorchClassifier\.from_sklearn_model takes a fitted net of skorch",
    ):
        SkorchClassifier.from_sklearn_model(nn.Linear(4, 2), X)
    with pytest.raises(
        TypeError, match=r"takes a fitted NeuralNetC.* NeuralNetC.* of skorch"
    ):
        NeuralNetClassifier.from_sklearn_model(classifier(), X)


@pytest.mark.parametrize("threshold", [0.2, 0.9])
def test_threshold_of_a_binary_net(threshold):
    random = np.random.default_rng(0)
    X = random.normal(size=(120, 4))
    y = (X[:, 0] + random.normal(size=120) > 0).astype(int)
    model = SkorchClassifier(binary_classifier(threshold=threshold), random_state=0).fit(
        X, y
    )
    probability = model.predict_proba(X)[:, 1]
    np.testing.assert_array_equal(model.predict(X), (probability > threshold).astype(int))
    assert np.mean(model.predict(X) != (probability > 0.5)) > 0.1
