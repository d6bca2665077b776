"""What fewer bits are expected to save and to add."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.engine import ConcreteEngine
from fhe_estimators.core.quantized_module.laws import Knob, Laws, Table

PRICES = ConcreteEngine().prices(2**-40)
READ, GIVEN = Knob("layers", "h"), Knob("results", "h")
WEIGHTS = Knob("weights", "y")


@st.composite
def laws(draw):
    """Of one table and one product: what was measured is random."""
    start = {knob: draw(st.integers(4, 8)) for knob in (READ, GIVEN, WEIGHTS)}
    errors, table = {}, Table(draw(st.integers(1, 9)), draw(st.integers(8, 12)), 4.0)
    for knob in draw(st.sets(st.sampled_from(list(start)), min_size=1)):
        measured = [bits for bits in knob.measured if bits < start[knob]] or [3]
        errors[knob] = {bits: draw(st.floats(0, 1)) * 2.0**-bits for bits in measured}
        table.slopes[knob] = (draw(st.sampled_from([0.0, 0.5, 1.0])), 0.0)
    start = {knob: start[knob] for knob in errors}
    return Laws(start, errors, {"h": table}, PRICES, bit_by_bit=draw(st.booleans()))


@given(laws(), st.floats(0, 0.1))
def test_what_is_cheapest_costs_no_more_and_has_no_step_left(given, allowed):
    bits = given.cheapest(allowed)
    assert given.price(bits) <= given.price(given.start)
    assert all(bits[knob] <= most for knob, most in given.start.items())
    steps = list(given.steps(given.start))
    assert (bits == given.start) == all(step.added > allowed for step in steps)


@given(laws())
def test_a_step_saves_the_difference_of_the_prices(given):
    for step in given.steps(given.start):
        fewer = {**given.start, step.knob: step.bits}
        assert step.saved == given.price(given.start) - given.price(fewer) > 0
        assert step.added >= 0


@pytest.mark.parametrize(
    ("knob", "factor"),
    [
        (READ, (4**-4 - 4**-6) / (4**-5 - 4**-6)),
        (GIVEN, (4**-4 - 4**-6) / (4**-5 - 4**-6)),
        (WEIGHTS, (7**-2 - 31**-2) / (15**-2 - 31**-2)),
    ],
)
def test_errors_follow_the_law_from_what_was_measured(knob, factor):
    """At 5 of 6 bits what was measured there; at 4 as the square of the unit grows."""
    table = Table(1, 6.0, 4.0, {knob: (1.0, 0.0)})
    laws = Laws({knob: 6}, {knob: {5: 0.01}}, {"h": table}, PRICES, bit_by_bit=True)
    added = {step.bits: step.added for step in laws.steps({knob: 6})}
    assert added[5] == pytest.approx(0.01)
    assert added[4] == pytest.approx(0.01 * factor)


def test_a_table_keeps_what_a_bit_less_is_worth():
    table = Table(4, 10.0, 6.0)
    table.narrowed(WEIGHTS, 2, Table(4, 7.0, 5.0))
    assert table.slopes == {WEIGHTS: (1.5, 0.5)}


def test_keys_of_each_size_of_tables_are_paid_for():
    """They are made ready for each call: one more size may cost more than it saves."""
    knobs = [Knob("layers", name) for name in "gh"]
    tables = {name: Table(1, 6.0, 4.0) for name in "gh"}
    errors = {knob: {5: 0.01} for knob in knobs}
    start = dict.fromkeys(knobs, 6)
    laws = Laws(start, errors, tables, PRICES, bit_by_bit=False)
    price = laws.price(start)
    one_size, two_sizes = dict.fromkeys(knobs, 5), {knobs[0]: 5, knobs[1]: 6}
    assert laws.price(one_size) < price < laws.price(two_sizes)
