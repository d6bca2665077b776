"""Projection onto small integers, and steps that are learned."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fhe_estimators.neural_network._quantizers import (
    BoundedWeights,
    LearnedStep,
    project,
    weight_budget,
)

ROWS = arrays(
    np.float64,
    st.tuples(st.integers(1, 3), st.integers(1, 4)),
    elements=st.floats(-4, 4, width=16),
)


@given(ROWS, st.integers(1, 3), st.integers(0, 6))
def test_projection_is_the_nearest_of_all(x, largest, budget):
    q = project(torch.tensor(x), largest, budget).numpy()
    assert np.abs(q).max() <= largest
    assert np.abs(q).sum(axis=1).max() <= budget
    np.testing.assert_array_equal(q, np.rint(q))
    candidates = np.array(
        [
            row
            for row in itertools.product(range(-largest, largest + 1), repeat=x.shape[1])
            if np.abs(row).sum() <= budget
        ]
    )
    best = ((x[:, np.newaxis] - candidates) ** 2).sum(axis=2).min(axis=1)
    # Rows that tie for the last place in the budget are left out together.
    tied = ((x - q) ** 2).sum(axis=1) - best
    gains = np.sort((np.abs(x)[..., np.newaxis] - np.arange(largest)).reshape(len(x), -1))
    ties = np.array([np.diff(g).min(initial=1) == 0 for g in gains])
    assert (tied[~ties] < 1e-9).all()


@given(ROWS, st.integers(1, 3), st.integers(0, 6))
def test_projection_projects(x, largest, budget):
    once = project(torch.tensor(x), largest, budget)
    torch.testing.assert_close(project(once, largest, budget), once, rtol=0, atol=0)


@given(st.integers(2, 12), st.integers(1, 8))
def test_budget_is_the_largest_that_fits(n_accum_bits, n_input_bits):
    budget = weight_budget(n_accum_bits, n_input_bits)
    values = 1 + budget * (2**n_input_bits - 1)
    assert values <= 2**n_accum_bits < values + 2**n_input_bits - 1


def test_gain_and_step_fit_the_weights():
    weight = torch.tensor([[1.0, -0.5, 0.02], [3.0, 6.2, -9.1]], dtype=torch.float64)
    quantizer = BoundedWeights(2, 3, bit_width=3, budget=6)
    quantizer.fit_step(weight)
    value, gain, _, n_bits = quantizer.eval()(weight)
    assert n_bits == 3
    np.testing.assert_array_equal(quantizer.integers(weight), [[2, -1, 0], [1, 2, -3]])
    torch.testing.assert_close(value, gain * quantizer.integers(weight))
    torch.testing.assert_close(value, weight, rtol=0.1, atol=0.1)


def test_gradient_goes_straight_through():
    weight = torch.tensor([[0.2, -3.0, 0.7]], dtype=torch.float64, requires_grad=True)
    quantizer = BoundedWeights(1, 3, bit_width=2, budget=1)
    quantizer.fit_step(weight)
    quantizer.eval()(weight)[0].sum().backward()
    # Pruned weights have one, too: they can come back.
    torch.testing.assert_close(weight.grad, torch.ones_like(weight))


@pytest.mark.parametrize(("signed", "low", "high"), [(True, -4, 3), (False, 0, 7)])
def test_step_quantizer_clips(signed, low, high):
    quantizer = LearnedStep(3, signed)
    with torch.no_grad():
        quantizer.log_step.fill_(np.log(0.5))
    x = torch.tensor([-100.0, -0.3, 0.2, 0.6, 100.0], dtype=torch.float64)
    value = quantizer(x)[0].detach()
    expected = np.clip([-200, -1, 0, 1, 200], low, high) * 0.5
    np.testing.assert_allclose(value, expected)


def test_step_is_learned():
    """Where nothing is clipped, the gradient moves the step towards the numbers."""
    quantizer = LearnedStep(4, signed=False)
    x = torch.linspace(0, 30, 100, dtype=torch.float64)
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=0.05)
    errors = []
    for _ in range(100):
        optimizer.zero_grad()
        error = ((quantizer(x)[0] - x) ** 2).mean()
        error.backward()
        optimizer.step()
        errors.append(float(error.detach()))
    assert errors[-1] < errors[0] / 50
    # The 15 integers above zero span the numbers.
    assert np.exp(quantizer.log_step.item()) == pytest.approx(30 / 15, rel=0.25)
