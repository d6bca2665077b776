"""Columns of integers of few bits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhe_estimators.core.trees import Leaf, TableSum, mapped
from fhe_estimators.core.trees.columns import RADICES, Term, digits, divided
from tests.core.trees.random_trees import BITS, small_ensemble


def bits_and_noise(graph):
    """Return the bits of the sums of tables, and the noise of the noisiest of them."""
    (node,) = (n for n in graph if n.op == "MatMul" and "tablelookup" in n.inputs[0])
    weights = graph.constants[node.inputs[1]]
    return graph.value(node.outputs[0]).bits, int((weights**2).sum(axis=0).max())


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_columns_keep_to_the_room_they_have(n_outputs):
    trees, _ = small_ensemble(n_outputs)
    sums = TableSum.of(trees, BITS, 3)
    numbers = []
    for room in (6, 7, 8, 10):
        columns = sums.columns(room)
        bits, noise = bits_and_noise(sums.lowered(columns).graph)
        assert bits + math.log2(noise) / 2 <= room
        numbers.append(len(columns))
    assert numbers[0] > n_outputs
    assert numbers == sorted(numbers, reverse=True)
    assert len(sums.columns()) == n_outputs


def test_columns_of_tables_take_no_bit_for_the_sign():
    """Whatever the signs of the leaves, also where leaves exclude each other."""
    random = np.random.default_rng(0)
    for sign in (-1, 1):
        trees = [
            mapped(tree, lambda leaf, by=sign: Leaf(by * random.integers(0, 61, size=1)))
            for tree in small_ensemble(1)[0]
        ]
        sums = TableSum.of(trees, BITS, 3)
        graph = sums.lowered(sums.columns(9)).graph
        assert graph.outputs[0].bits == max(c.width for c in sums.columns(9))


def random_terms(random, number):
    """Return terms of two outputs, some of which exclude each other."""
    terms = []
    for row in range(number):
        low, high = -int(random.integers(0, 9)), int(random.integers(1, 9))
        source = int(random.integers(4)) if random.random() < 0.5 else None
        movable, output = bool(random.integers(2)), int(random.integers(2))
        rows = np.array([row])
        term = Term(output, 1, low, high, row % 3, source, movable, rows, rows * 0 + 1)
        terms.append(term)
    return terms


@given(
    st.integers(0, 20),
    st.lists(st.integers(0, 8), min_size=2, max_size=4),
    st.sampled_from([4, 6, 8.5, 12]),
    st.integers(0, 2**32 - 1),
)
def test_ways_to_write_the_same_are_divided_each_by_itself(n_common, numbers, room, seed):
    """Also if they begin with the same terms, which are divided once."""
    random = np.random.default_rng(seed)
    common = random_terms(random, n_common)
    ways = [[*common, *random_terms(random, number)] for number in numbers]

    def layout(columns):
        return [
            (c.output, c.scale, c.low, c.high, c.noise, c.movable, [*map(id, c.terms)])
            for c in columns
        ]

    alone = [layout(divided([way], 3, room)) for way in ways]
    assert layout(divided(ways, 3, room)) in alone
    assert layout(divided([ways[0]] * 2, 3, room)) == alone[0]


@given(st.integers(1, 5), st.integers(1, 4), st.sampled_from(RADICES))
def test_digits(n_rows, n_columns, radix):
    random = np.random.default_rng(n_rows)
    numbers = random.integers(-1000, 1000, size=(n_rows, n_columns))
    parts = list(digits(numbers, radix))
    np.testing.assert_array_equal(sum(scale * digit for scale, digit in parts), numbers)
    if radix is not None:
        assert max(np.abs(digit).max() for _, digit in parts) <= radix // 2
