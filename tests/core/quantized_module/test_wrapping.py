"""Rows whose sums lie far beyond those of calibration are counted in clear."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from fhe_estimators import WrapAroundWarning
from fhe_estimators.core.frontends.torch import export_torch
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module
from fhe_estimators.core.quantized_module import RoundingOptions


def sparse(seed, n_rows):
    """Return rows of which few features differ from zero."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n_rows, 8)) * (generator.random((n_rows, 8)) < 0.2)


def lowered(accumulator_range):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(8, 3), nn.ReLU(), nn.Linear(3, 2)).double()
    rows = sparse(0, 300)
    options = Options(
        BitWidths(5, 5),
        rounding=RoundingOptions("exact", 5),
        accumulator_range=accumulator_range,
    )
    return to_quantized_module(export_torch(net, [rows[:2]]), Calibration([rows]), options)


def test_rows_that_wrap_are_counted():
    module = lowered("calibrated")
    rows = sparse(1, 7)
    # All features at the ends that weigh most: sums as large as they can be.
    weights = module.graph.constants[module.graph.nodes[0].inputs[1]][:, 0]
    rows[[2, 5]] = 3 * np.sign(weights)
    with pytest.warns(WrapAroundWarning, match=r"2 of 7 rows .*accumulator_range='worst"):
        module.scores(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module.scores(rows[[0, 1, 3, 4, 6]])


def test_the_worst_case_is_covered():
    module = lowered("worst_case")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for sign in (-1, 1):
            module.scores(np.full((2, 8), 1e6 * sign))
