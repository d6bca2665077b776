"""The ready-made estimators: training, parameters, equality with the trained network."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from fhe_estimators import NeuralNetClassifier, NeuralNetRegressor, config_context
from fhe_estimators.base import parent_of
from fhe_estimators.inspection import cost


def quick(**parameters):
    return NeuralNetClassifier(**{"max_epochs": 5, "random_state": 0, **parameters})


def trained_outputs(model, X):
    """Return what the trained network, not its integers, gives."""
    return parent_of(type(model))._outputs(model, X)


@pytest.fixture(scope="module")
def fitted(wine):
    X, y = wine
    return quick(max_epochs=30).fit(X, np.array(["a", "b", "c"])[y])


@pytest.fixture(scope="module")
def split(breast_cancer):
    X, y = breast_cancer
    return train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)


# Integers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_accum_bits": 5, "n_w_bits": 2, "n_out_accum_bits": 7},
        {"n_w_bits": 4, "n_a_bits": 4, "n_accum_bits": 8},
        {"n_layers": 3, "activation": torch.nn.Tanh, "neuron_sparsity": 0.5},
        {"n_layers": 1, "n_in_bits": 4},
    ],
)
def test_integers_are_the_trained_network(split, parameters):
    X, X_test, y, _ = split
    model = quick(**parameters).fit(X, y)
    np.testing.assert_allclose(
        model.decision_function(X_test), trained_outputs(model, X_test)[:, 0], atol=1e-9
    )


def test_outputs_of_a_regressor_are_in_the_unit_of_the_target(diabetes):
    X, y = diabetes
    model = NeuralNetRegressor(max_epochs=30, random_state=0).fit(X, 1000 * y - 7)
    np.testing.assert_allclose(model.predict(X), trained_outputs(model, X)[:, 0])
    assert model.score(X, 1000 * y - 7) > 0.4
    both = NeuralNetRegressor(max_epochs=30, random_state=0).fit(X, np.c_[y, -50 * y])
    assert both.predict(X).shape == (len(X), 2)
    assert both.score(X, np.c_[y, -50 * y]) > 0.4


@pytest.mark.fhe
def test_encrypted_predictions(wine):
    X, y = wine
    model = quick(max_epochs=30).fit(X, y)
    model.compile(p_error=2**-40)
    np.testing.assert_array_equal(
        model.predict_proba(X[::60], fhe="execute"), model.predict_proba(X[::60])
    )


# Quality -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "accuracy"),
    [({}, 0.93), ({"n_accum_bits": 5}, 0.94), ({"neuron_sparsity": 0.5}, 0.93)],
)
def test_accuracy(split, parameters, accuracy):
    X, X_test, y, y_test = split
    model = NeuralNetClassifier(random_state=0, **parameters).fit(X, y)
    assert model.score(X_test, y_test) > accuracy


@pytest.mark.parametrize("power", [20, 700, -700])
def test_units_of_features_make_no_difference(split, power):
    X, X_test, y, _ = split
    model = quick().fit(X, y)
    # A power of two changes no digit.
    other = quick().fit(X * 2.0**power, y)
    np.testing.assert_allclose(
        other.decision_function(X_test * 2.0**power), model.decision_function(X_test)
    )


def test_neurons_are_tables(split):
    X, _, y, _ = split
    dense, sparse = (
        quick(neuron_sparsity=part, n_out_accum_bits=6).fit(X, y) for part in (0.0, 0.8)
    )
    n_dense, n_sparse = (
        sum(layer.tables for layer in model.quantized_module_.layers)
        for model in (dense, sparse)
    )
    assert n_sparse <= 6
    assert n_sparse < n_dense <= 30


@pytest.mark.simulate
def test_fewer_bits_cost_less(split):
    X, _, y, _ = split
    cheap = quick(neuron_sparsity=0.8).fit(X, y)
    dear = quick(n_accum_bits=5).fit(X, y)
    assert cost(cheap).complexity < cost(dear).complexity / 3


# Training ------------------------------------------------------------------------------


def test_same_seed_same_model(split):
    X, X_test, y, _ = split
    state = torch.get_rng_state()
    one, two, three = (quick(random_state=seed).fit(X, y) for seed in (1, 1, 2))
    scores = [model.decision_function(X_test) for model in (one, two, three)]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert (scores[0] != scores[2]).any()
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_are_as_before(split):
    X, _, y, _ = split
    n_threads = torch.get_num_threads()
    quick(max_epochs=1).fit(X, y)
    assert torch.get_num_threads() == n_threads


def test_early_stopping(split):
    X, X_test, y, y_test = split
    model = NeuralNetClassifier(
        max_epochs=300, early_stopping=True, n_iter_no_change=3, random_state=0
    ).fit(X, y)
    losses = model.history_[:, "valid_loss"]
    # It begins with the epoch after which no neuron is removed any more.
    best = 179 + np.argmin(losses[179:])
    assert len(losses) < 300
    assert len(losses) == best + 4
    assert model.score(X_test, y_test) > 0.9
    assert model.partial_fit(X, y).score(X_test, y_test) > 0.9


def test_warm_start_goes_on(split):
    X, _, y, _ = split
    model = quick(warm_start=True).fit(X, y)
    net = model.net_
    assert model.fit(X, y).net_ is net
    assert len(model.history_) == 10
    assert model.set_params(warm_start=False).fit(X, y).net_ is not net
    assert len(model.history_) == 5


def test_partial_fit(wine):
    X, y = wine
    model = NeuralNetClassifier(random_state=0)
    with pytest.raises(ValueError, match="at least two classes"):
        clone(model).partial_fit(X[:10], y[:10])
    model.partial_fit(X[:10], y[:10], classes=[0, 1, 2])
    rng = np.random.default_rng(0)
    for _ in range(60):
        rows = rng.choice(len(X), 100)
        model.partial_fit(X[rows], y[rows])
    assert len(model.history_) == 61
    assert model.n_features_in_ == 13
    with pytest.raises(ValueError, match=r"not among the classes .*\[3 4 5\]"):
        model.partial_fit(X, y + 3)


def test_regressor_partial_fit(diabetes):
    X, y = diabetes
    model = NeuralNetRegressor(random_state=0)
    scores = [model.partial_fit(X, y).score(X, y) for _ in range(30)]
    assert scores[-1] > 0.35
    assert scores[-1] > scores[0]


def test_sample_weights_choose_rows(wine):
    X, y = wine
    weights = np.where(y == 2, 0, 1)
    model = quick(max_epochs=40).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(model.classes_, [0, 1])
    heavy = quick(max_epochs=40).fit(X, y, sample_weight=np.where(y == 2, 1e4, 1))
    assert (heavy.predict(X) == 2).mean() > 0.9


class CountBatches(Callback):
    def on_train_begin(self, net, **kwargs):
        self.n_batches_ = 0

    def on_batch_end(self, net, training, **kwargs):
        self.n_batches_ += training


def test_callbacks_are_copied(split):
    X, _, y, _ = split
    counter = CountBatches()
    model = quick(callbacks=[("counter", counter)], batch_size=100).fit(X, y)
    assert dict(model.net_.callbacks_)["counter"].n_batches_ == 5 * 4
    assert not hasattr(counter, "n_batches_")


def test_learning_rate_is_one_cycle(split):
    X, _, y, _ = split

    class Rates(CountBatches):
        def on_batch_end(self, net, training, **kwargs):
            net.history.record("lr", net.optimizer_.param_groups[0]["lr"])

    model = quick(callbacks=[Rates()], max_epochs=10, lr=0.1).fit(X, y)
    rates = model.history_[:, "lr"]
    assert max(rates) == pytest.approx(0.1, rel=0.05)
    assert np.argmax(rates) in (2, 3)
    assert rates[-1] < 0.001
    model.partial_fit(X, y)
    assert model.history_[-1, "lr"] == 0.1


# Life of an estimator ------------------------------------------------------------------


def test_no_data_is_kept(fitted, wine):
    X, _ = wine
    assert len(pickle.dumps(fitted)) < X.nbytes + 200_000
    big = np.tile(X, (50, 1))
    y = np.tile(np.arange(3), len(big))[: len(big)]
    model = quick(early_stopping=True, max_epochs=2).fit(big, y)
    assert len(pickle.dumps(model)) < big.nbytes / 4
    assert model.net_.train_split is None


def test_pickle_goes_on_training(fitted, wine):
    X, y = wine
    labels = np.array(["a", "b", "c"])[y]
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(trained_outputs(loaded, X), trained_outputs(fitted, X))
    assert loaded.history_ == fitted.history_
    again = pickle.loads(pickle.dumps(fitted))
    # With the state of the optimizer, and of what draws the order of rows.
    np.testing.assert_array_equal(
        loaded.partial_fit(X, labels).predict_proba(X),
        again.partial_fit(X, labels).predict_proba(X),
    )


@pytest.mark.simulate
def test_grid_search(split):
    X, _, y, _ = split
    grid = {
        "neuralnetclassifier__n_w_bits": [2, 4],
        "neuralnetclassifier__neuron_sparsity": [0.0, 0.5],
    }
    pipe = make_pipeline(StandardScaler(), quick())
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.9
    best = search.best_params_["neuralnetclassifier__n_w_bits"]
    net = search.best_estimator_[-1].net_
    assert net.module__n_w_bits == best
    clear = search.predict(X[:9])
    with config_context(fhe="simulate"):
        np.testing.assert_array_equal(search.predict(X[:9]), clear)


def test_probabilities(fitted, wine):
    X, _ = wine
    probabilities = fitted.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(
        fitted.predict(X), fitted.classes_[probabilities.argmax(axis=1)]
    )


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"n_w_bits": 1}, "'n_w_bits'"),
        ({"n_accum_bits": 33}, "'n_accum_bits'"),
        ({"n_a_bits": 7}, "n_accum_bits=4"),
        ({"activation": "relu"}, "'activation'"),
        ({"optimizer": "adam"}, "'optimizer' .* got 'adam'"),
        ({"optimizer": torch.nn.ReLU}, "'optimizer'"),
        ({"neuron_sparsity": 1.0}, "'neuron_sparsity'"),
        ({"p_error": 1}, "'p_error'"),
    ],
)
def test_wrong_parameters(wine, parameters, words):
    with pytest.raises(ValueError, match=words):
        quick(**parameters).fit(*wine)


def test_a_row_of_weight_zero_is_as_good_as_absent(wine):
    X, y = wine
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    more, target = np.vstack([X, np.full(X.shape[1], 1e9)]), np.append(y, 0)
    weights = np.append(np.ones(len(X)), 0.0)
    model = NeuralNetClassifier(max_epochs=30, random_state=0)
    assert model.fit(more, target, sample_weight=weights).score(X, y) > 0.9
