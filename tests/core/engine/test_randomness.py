"""Keys are made of random numbers that are safe, or not at all."""

import ctypes

import numpy as np
import pytest

from fhe_estimators import LogisticRegression
from fhe_estimators.core.engine import _randomness
from fhe_estimators.core.engine._native import compiler
from fhe_estimators.deployment import Client, save_deployment
from fhe_estimators.exceptions import InsecureRandomnessError
from tests.deployment.deployed import iris


def test_the_engine_has_a_safe_source_here():
    source = _randomness._source(compiler())
    drawn = set()
    for _ in range(8):
        seed = ctypes.create_string_buffer(16)
        assert source(seed) == 1
        drawn.add(seed.raw)
    assert len(drawn) == 8
    _randomness.check_randomness(compiler())


@pytest.mark.parametrize("status", [-1, 0])
def test_other_sources_are_an_error(monkeypatch, status):
    """The engine returns -1, and prints a warning, where it reads ``/dev/random``."""
    monkeypatch.setattr(_randomness, "_source", lambda native: lambda seed: status)
    with pytest.raises(InsecureRandomnessError, match="RDSEED"):
        _randomness.check_randomness(compiler())


@pytest.mark.simulate
def test_no_keys_are_made_without(monkeypatch, tmp_path):
    X, y = iris(2)
    model = LogisticRegression().fit(X, y)
    save_deployment(model, tmp_path)
    monkeypatch.setattr(_randomness, "_source", lambda native: lambda seed: -1)
    with pytest.raises(InsecureRandomnessError):
        model.predict(X[:1], fhe="execute")
    client = Client(tmp_path / "client.zip", keys=tmp_path / "keys")
    with pytest.raises(InsecureRandomnessError):
        client.encrypt(X[:1])
    assert not list((tmp_path / "keys").iterdir())
    monkeypatch.undo()
    found = model.predict(X[:3], fhe="execute")
    np.testing.assert_array_equal(found, model.predict(X[:3]))
