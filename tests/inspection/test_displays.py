"""Plots of costs, bits and agreement."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from fhe_estimators import DecisionTreeClassifier, LogisticRegression
from fhe_estimators.inspection import (
    AgreementDisplay,
    BitWidthDisplay,
    CostDisplay,
    cost,
)


@pytest.fixture
def axes():
    """Axes that need no screen."""
    return Figure().subplots()


@pytest.fixture(scope="module")
def tree(breast_cancer):
    return DecisionTreeClassifier(max_depth=4, random_state=0).fit(*breast_cancer)


def test_costs_of_parts_add_up(tree, axes):
    display = CostDisplay.from_estimator(tree, ax=axes)
    report = cost(tree)
    assert display.seconds.sum() == pytest.approx(report.seconds)
    assert (display.seconds > 0).all()
    assert display.names[-1] == "keys made ready"
    assert [bar.get_width() for bar in axes.patches] == pytest.approx(display.seconds)
    assert display.ax_ is axes


def test_a_model_without_tables_costs_nothing(breast_cancer):
    model = LogisticRegression(max_iter=5000).fit(*breast_cancer)
    display = CostDisplay.from_estimator(model, ax=Figure().subplots())
    assert display.names == ["no tables"]
    assert display.seconds.tolist() == [0]


def test_bits_of_layers(tree, axes):
    display = BitWidthDisplay.from_estimator(tree, ax=axes)
    layers = tree.fhe_circuit.layers
    assert display.input_bits.tolist() == [layer.input_bits for layer in layers]
    assert (display.kept_bits <= display.input_bits).all()
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), display.input_bits)
    other = Figure().subplots()
    assert display.plot(ax=other).ax_ is other


def test_agreement_has_intervals(tree, breast_cancer, axes):
    display = AgreementDisplay.from_estimator(tree, *breast_cancer, simulate=False, ax=axes)
    (only,) = display.comparisons
    assert only.mode == "disable"
    assert axes.get_xlabel() == 'rows predicted as with fhe="disable"'
    assert display.figure_ is axes.figure
