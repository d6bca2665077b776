"""Bars for what takes long; and models that were interrupted meanwhile go on working."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from skorch import NeuralNetRegressor as Net
from skorch.callbacks import Callback
from torch import nn
from tqdm import tqdm

from fhe_estimators import (
    DecisionTreeClassifier,
    NeuralNetClassifier,
    RandomForestClassifier,
    SkorchRegressor,
    config_context,
)
from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine._concrete import ConcreteEngine, ConcreteProgram
from fhe_estimators.torch import compile_torch_model

X = np.random.default_rng(0).normal(size=(40, 3))
y = (X.sum(axis=1) > 0).astype(int)
ROWS = X[:2]


@pytest.fixture
def tree():
    return DecisionTreeClassifier(max_depth=1, random_state=0).fit(X, y)


def test_nothing_is_shown_unless_it_is_asked_for(capsys):
    NeuralNetClassifier(max_epochs=1, random_state=0).fit(X, y)
    with config_context(progress=True), config_context(progress=False):
        NeuralNetClassifier(max_epochs=1, random_state=0).fit(X, y)
    assert capsys.readouterr().err == ""
    with pytest.raises(TypeError, match="'progress' must be True or False; got 'yes'"):
        config_context(progress="yes").__enter__()


def test_epochs_are_shown(capsys):
    net = Net(_Module, max_epochs=2, verbose=0, train_split=None)
    for model in (
        NeuralNetClassifier(max_epochs=2, random_state=0),
        SkorchRegressor(net, random_state=0),
    ):
        with config_context(progress=True):
            model.fit(X, y)
        assert "2/2" in capsys.readouterr().err
        names = [name for name, _ in model.net_.callbacks_]
        assert not [name for name in names if "progress" in name]
        pickle.dumps(model)


class _Module(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 1)

    def forward(self, x):
        return self.linear(x)


@pytest.mark.simulate
def test_searches_compilation_and_rows_are_shown(tree, capsys):
    with config_context(fhe="simulate", progress=True):
        tree.predict(ROWS)
    shown = capsys.readouterr().err
    for name in ("search of tables", "compile", "rows: 100%"):
        assert name in shown
    module = nn.Sequential(nn.Linear(3, 2), nn.Sigmoid(), nn.Linear(2, 1))
    with config_context(progress=True):
        compile_torch_model(module, X, n_bits=3, rounding_bits="auto")
    assert "search of bits" in capsys.readouterr().err


@pytest.mark.simulate
def test_groups_that_are_merged_are_shown(capsys):
    model = RandomForestClassifier(n_estimators=9, max_depth=3, random_state=0).fit(X, y)
    with config_context(progress=True):
        model.compile()
    shown = capsys.readouterr().err
    assert "merge: " in shown
    assert "group/s" in shown


@pytest.mark.fhe
def test_keys_and_encrypted_rows_are_shown(tree, capsys):
    tree.compile()
    with config_context(progress=True):
        encrypted = tree.predict(ROWS, fhe="execute")
    np.testing.assert_array_equal(encrypted, tree.predict(ROWS))
    shown = capsys.readouterr().err
    assert "keys: 00" in shown
    assert "2/2" in shown
    with config_context(progress=True):
        tree.predict(ROWS, fhe="execute")
    assert "keys" not in capsys.readouterr().err


@pytest.mark.simulate
def test_bars_start_no_thread():
    """In a process of its own, where nobody else has shown a bar."""
    subprocess.run([sys.executable, "-c", THREADS], check=True, capture_output=True)


THREADS = """
import threading, warnings
warnings.simplefilter("ignore")
from sklearn.datasets import load_wine
from fhe_estimators import DecisionTreeClassifier, config_context

X, y = load_wine(return_X_y=True)
with config_context(fhe="simulate", progress=True):
    DecisionTreeClassifier(max_depth=2).fit(X, y).predict(X)
assert "TMonitor" not in {type(thread).__name__ for thread in threading.enumerate()}
"""


def interrupted(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.fhe
def test_models_work_after_an_interrupt(tree):
    """Wherever Ctrl-C comes: in the search, the compiler, keys, or rows."""
    expected = tree.predict(ROWS)
    for place, name in (
        (ConcreteEngine, "compile"),
        (Circuit, "__init__"),
        (ConcreteProgram, "_generate"),
        (ConcreteProgram, "encrypt"),
        (ConcreteProgram, "run"),
    ):
        with pytest.MonkeyPatch.context() as patch, config_context(progress=True):
            patch.setattr(place, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                tree.predict(ROWS, fhe="execute")
        assert not tqdm._instances  # no bar is left
        np.testing.assert_array_equal(tree.predict(ROWS), expected)
    np.testing.assert_array_equal(tree.predict(ROWS, fhe="execute"), expected)


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_net_works_that_was_interrupted(epoch):
    """Skorch ends the training then; the net of the epochs before is what was fitted."""

    class Interrupt(Callback):
        def on_epoch_begin(self, net, **_):
            if len(net.history) == epoch:
                raise KeyboardInterrupt

    model = NeuralNetClassifier(max_epochs=5, random_state=0, callbacks=[Interrupt()])
    with config_context(progress=True):
        model.fit(X, y)
    assert len(model.history_) <= epoch
    again = model.quantized_module.forward(X)
    assert np.isfinite(again).all()
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X).argmax(axis=1))
