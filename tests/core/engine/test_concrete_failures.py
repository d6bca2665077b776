"""What the engine cannot do is told apart from what it has no parameters for."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch import nn

from fhe_estimators.exceptions import CompilationError
from fhe_estimators.torch import compile_torch_model


def run(code, environment):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.simulate
def test_without_a_linker_the_reason_is_not_the_model():
    code = """
        from sklearn.datasets import load_iris
        from fhe_estimators import LogisticRegression
        model = LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True))
        try:
            model.compile()
        except Exception as error:
            print(type(error).__name__, error)
    """
    found = run(code, {"PATH": "/nonexistent"})
    assert found.stdout.startswith("RuntimeError"), found.stderr
    assert "parameters" not in found.stdout


@pytest.mark.simulate
def test_no_parameters():
    X = np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32)
    net = nn.Sequential(nn.Linear(12, 3), nn.ReLU(), nn.Linear(3, 2))
    # Sums of 16 bits, all of which tables read.
    with pytest.raises(CompilationError, match=r"^No cryptographic .* p_error=1e-300"):
        compile_torch_model(net, X, n_bits=7, rounding=None, p_error=1e-300)


@pytest.mark.simulate
def test_a_table_that_is_as_wide_as_a_sum_beside_it():
    X = np.random.default_rng(0).normal(size=(50, 1, 6, 6)).astype(np.float32)
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(1, 2, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 2)
    )
    with pytest.raises(CompilationError, match=r"^A table would read 1\d bits, the limit"):
        compile_torch_model(net, X, n_bits=8, rounding_bits=5)
