"""Bits that are chosen: few, and accurate."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhe_estimators.core.engine import ConcreteEngine
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.core.quantization import PostTraining
from fhe_estimators.core.quantized_module import (
    BitSearch,
    QuantizedModule,
    RoundingOptions,
    deviation,
    fewest_bits,
    labels_changed,
)
from fhe_estimators.exceptions import AccuracyWarning, CompilationError

ROWS = np.random.default_rng(1).normal(size=(200, 6))
PRICES = ConcreteEngine().prices(2**-40)


def net(sizes=(6, 5, 2), seed=0):
    """Return a float graph of products with ReLUs between them."""
    generator = np.random.default_rng(seed)
    nodes, constants, name = [], {}, "x"
    for layer, shape in enumerate(itertools.pairwise(sizes)):
        constants[f"w{layer}"] = generator.normal(size=shape)
        nodes.append(Node("MatMul", (name, f"w{layer}"), (f"h{layer}",)))
        nodes.append(Node("Relu", (f"h{layer}",), (f"r{layer}",)))
        name = f"r{layer}"
    last = nodes[-2].outputs[0]
    x, y = Value("x", (None, sizes[0])), Value(last, (None, sizes[-1]))
    return Graph(tuple(nodes[:-1]), (x,), (y,), constants)


class Search(BitSearch):
    """With what was quantized, and its error."""

    def __init__(self, graph, options=RoundingOptions(), bits=6, margin=None):
        calibrated = PostTraining(graph, [ROWS], BitWidths(bits, bits), margin=margin)
        end = NumpyModule(Graph((), graph.outputs, graph.outputs))
        self.exact, self.tried = NumpyModule(graph)(ROWS), []

        def quantized(kept_bits):
            self.tried.append(kept_bits)
            return QuantizedModule(*calibrated.quantized(kept_bits), end)

        super().__init__(quantized, self.error, options, PRICES, BitWidths(bits, bits))

    def error(self, module):
        return deviation(module.scores(ROWS), self.exact)


def kept_bits(module):
    return [layer.kept_bits for layer in module.layers if layer.tables]


def free(module):
    return 0.0


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.integers(1, 3), st.integers(2, 6), st.booleans())
def test_what_is_chosen_is_accurate_and_no_wider(seed, depth, bits, wraps):
    graph = net((6, *[4] * depth, 2), seed)
    search = Search(graph, bits=bits, margin=0.25 if wraps else None)
    most = search.with_most_bits(7)
    module, error, limit = search.cheapest(most, 7)
    least = search.error(most)
    assert error == search.error(module) <= limit
    assert limit == pytest.approx(np.hypot(least, max(0.1, 0.8 * least)))
    assert np.less_equal(kept_bits(module), kept_bits(most)).all()


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 1000), st.integers(1, 3), st.booleans())
def test_more_bits_are_never_worse_by_more_than_the_tolerance(seed, depth, wraps):
    """The search gives up what the tolerance allows, of any number of bits.

    Where sums may take all of the range that they could, a power of two, they may use half
    of it with some number of bits, and nearly all of it with another.
    """
    graph = net((6, *[4] * depth, 2), seed)
    errors = []
    for bits in (3, 5, 7):
        search = Search(graph, bits=bits, margin=0.25 if wraps else None)
        errors.append(search.error(fewest_bits(search, free)))
    for fewer, more in itertools.pairwise(errors):
        limit = np.hypot(fewer, max(RoundingOptions().tolerance, 0.8 * fewer))
        assert more <= (limit if wraps else 2 * limit)


def test_approximate_rounding_is_kept():
    search = Search(net(), RoundingOptions("approximate"))
    module = fewest_bits(search, free)
    assert all(kept.approximate for kept in search.tried)
    assert {layer.rounding for layer in module.layers if layer.tables} == {"approximate"}


def test_without_tables_nothing_is_compiled():
    def cost(module):
        raise AssertionError

    search = Search(net((6, 2)))
    assert not kept_bits(fewest_bits(search, cost))
    assert len(search.tried) == 1


def with_parameters_if(has):
    """Return a cost for modules that keep so many bits."""

    def cost(module):
        (kept,) = kept_bits(module)
        if not has(kept):
            raise CompilationError("No cryptographic parameters")
        return float(kept)

    return cost


def test_what_is_chosen_has_cryptographic_parameters():
    options = RoundingOptions(tolerance=0.1)
    (best,) = kept_bits(fewest_bits(Search(net(), options), free))
    # No accurate one has: the most accurate one that has, and a warning.
    with pytest.warns(AccuracyWarning, match=r"outputs err by \d\.\d\d of"):
        fewer = fewest_bits(
            Search(net(), options), with_parameters_if(lambda kept: kept < best - 1)
        )
    assert kept_bits(fewer) == [best - 2]
    # None at all has: compiling says so.
    assert fewest_bits(Search(net(), options), with_parameters_if(lambda kept: False)).graph


@pytest.mark.parametrize("seed", [8, 11, 15])
def test_labels_are_kept_within_what_the_most_bits_leave(seed):
    """Rows near a border change their label at an error that is well within the limit."""
    graph = net((6, 8, 8, 2), seed)
    plain, keeping = Search(graph, bits=8), Search(graph, bits=8)
    keeping._changed = lambda module: labels_changed(module.scores(ROWS), keeping.exact)
    most = keeping.with_most_bits(7)
    fewer, _, _ = plain.cheapest(most, 7)
    kept, _, _ = keeping.cheapest(most, 7)
    least = keeping._changed(most)
    assert least <= 0.02
    assert keeping._changed(kept) <= least + 0.01
    assert keeping._changed(kept) < keeping._changed(fewer)


def test_labels_that_the_most_bits_do_not_keep_are_not_paid_for():
    search = Search(net((6, 8, 8, 2)))
    most = search.with_most_bits(7)
    fewer, *_ = search.cheapest(most, 7)
    search._changed = lambda module: 0.05 if module is most else 0.5
    same, *_ = search.cheapest(most, 7)
    assert str(same.graph) == str(fewer.graph)


def test_labels_that_changed():
    exact = np.eye(4)[[0, 1, 2, 3] * 5]
    found = exact.copy()
    assert labels_changed(found, exact) == 0
    found[:3] = 1 - found[:3]
    assert labels_changed(found, exact) == pytest.approx(2 / 20)
    assert labels_changed((exact, found), (exact, exact)) == pytest.approx(2 / 20)
    # One column has no labels, and pictures have none.
    assert labels_changed(-exact[:, :1], exact[:, :1]) == 0
    assert labels_changed(-exact[:, :, None], exact[:, :, None]) == 0


class Refined(Search):
    """With the trial that was refined, and what came of it."""

    def _refined(self, trial, laws, most, limits):
        self.refined = super()._refined(trial, laws, most, limits)
        self.before, self.laws, self.limits = trial, laws, limits
        return self.refined


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1000), st.integers(1, 2))
def test_bits_that_are_given_up_keep_the_limits(seed, depth):
    search = Refined(net((6, *[4] * depth, 2), seed))
    module, error, limit = search.cheapest(search.with_most_bits(7), 7)
    before, after = search.before.bits, search.refined.bits
    assert search.limits.hold(search.refined)
    assert (search.error(module), limit) == (error, search.limits.error.most)
    assert all(after[knob] <= bits for knob, bits in before.items())
    assert search.laws.price(after) <= search.laws.price(before)


def test_bits_are_given_up_beyond_what_laws_say():
    """Laws add up errors that cancel: what is accurate takes fewer bits than they allow."""
    fewer = 0
    for seed in range(5):
        search = Refined(net((6, 8, 8, 2), seed))
        search.cheapest(search.with_most_bits(7), 7)
        fewer += search.refined.bits != search.before.bits
    assert fewer


@pytest.mark.parametrize("margin", [None, 0.25])
def test_more_tolerance_takes_fewer_bits(margin):
    graph = net((6, 8, 8, 2))
    prices, bits = [], []
    for tolerance in (0.01, 0.1, 1.0):
        search = Refined(graph, RoundingOptions(tolerance=tolerance), margin=margin)
        search.cheapest(search.with_most_bits(7), 7)
        bits.append(sum(search.refined.bits.values()))
        prices.append(search.laws.price(search.refined.bits))
    assert prices == sorted(prices, reverse=True)
    assert bits[0] > bits[-1]
