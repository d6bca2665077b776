"""What engines declare of their limits and prices, against what is compiled."""

import numpy as np
import pytest

from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine import (
    ClearEngine,
    ConcreteEngine,
    Prices,
)
from fhe_estimators.core.engine._prices import MEASURED
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.exceptions import BitWidthError


def table(bits):
    """Return a graph that looks up one number of so many bits."""
    most = (1 << bits) - 1
    value = Value("y", (None, 1), 0, most)
    return Graph(
        (Node("TableLookup", ("x", "t"), ("y",), {"first": 0}),),
        (Value("x", (None, 1), 0, most),),
        (value,),
        {"t": np.arange(most + 1)[::-1]},
        {"y": value},
    )


@pytest.mark.simulate
@pytest.mark.parametrize("bits", [1, 4, 6])
@pytest.mark.parametrize("exponent", MEASURED)
def test_declared_prices_are_those_of_the_optimizer(exponent, bits):
    cost = Circuit(table(bits), p_error=2.0**-exponent).cost
    prices = ConcreteEngine().prices(2.0**-exponent)
    assert prices.operations(bits) == pytest.approx(cost.complexity, rel=0.01)
    assert prices.key_bytes(bits) == pytest.approx(cost.key_bytes, rel=0.01)


@pytest.mark.simulate
@pytest.mark.parametrize("p_error", [0.9, 0.01, 2**-45, 2**-60, 2**-90])
def test_nothing_costs_less_between_measured_probabilities(p_error):
    prices = ConcreteEngine().prices(p_error)
    cost = Circuit(table(4), p_error=p_error).cost
    assert prices.operations(4) <= 1.01 * cost.complexity or p_error > 0.5
    assert prices.operations(4) > 0.4 * cost.complexity


def test_prices_rise_with_bits_and_with_certainty():
    before = Prices({1: 0.0}, {1: 0.0})
    for exponent in sorted(MEASURED):
        prices = ConcreteEngine().prices(2.0**-exponent)
        operations = [prices.operations(bits) for bits in range(8)]
        assert operations == sorted(set(operations))
        assert all(prices.operations(bits) > before.operations(bits) for bits in (1, 7))
        before = prices
    assert ConcreteEngine().prices(0.99) == ConcreteEngine().prices(2.0 ** -min(MEASURED))


def test_wider_tables_than_were_measured_cost_as_the_widest():
    prices = Prices({1: 2.0, 2: 5.0}, {1: 3.0, 2: 4.0})
    assert [prices.operations(bits) for bits in (0, 1, 2, 9)] == [0, 2, 5, 5]
    assert [prices.key_bytes(bits) for bits in (0, 1, 2, 9)] == [0, 3, 4, 4]


class NarrowEngine(ClearEngine):
    maximum_table_bits = 3


def test_an_engine_sets_the_limit_of_tables():
    assert Circuit(table(3), engine=NarrowEngine()).programmable_bootstrap_count == 1
    with pytest.raises(BitWidthError, match="reads 4 bits; the limit is 3"):
        Circuit(table(4), engine=NarrowEngine())
