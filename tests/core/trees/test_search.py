"""The search for the cheapest graph, and what it says of cost."""

import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fhe_estimators import CompilationError, CostWarning
from fhe_estimators.core.circuit import Circuit, _cost
from fhe_estimators.core.engine import ConcreteEngine, run_clear
from fhe_estimators.core.trees import (
    BinEdges,
    Bits,
    Ensemble,
    Leaf,
    SplitNode,
    TableSum,
    TreeGraphs,
    TreeOptions,
    pricing,
    search,
)
from fhe_estimators.core.trees.encoders import BinEncoder, ThermometerEncoder


def ensemble(n_trees=12, depth=3, n_features=6, n_edges=7, seed=0):
    random = np.random.default_rng(seed)

    def grow(left):
        if not left:
            return Leaf(random.normal(size=1))
        feature, edge = random.integers(n_features), random.integers(n_edges)
        return SplitNode(int(feature), int(edge), grow(left - 1), grow(left - 1))

    thresholds = {feature: np.arange(n_edges) + 0.5 for feature in range(n_features)}
    X = random.integers(0, n_edges + 1, size=(300, n_features)).astype(float)
    return Ensemble(tuple(grow(depth) for _ in range(n_trees)), thresholds, n_features), X


def graphs(**options):
    trees, X = ensemble()
    return TreeGraphs(trees, X, TreeOptions(**options))


#: What tables cost at least, and that nothing is known of it.
PRICES = ConcreteEngine().prices(2**-40)
UNKNOWN = replace(PRICES, table_operations={1: 0.0}, table_key_bytes={1: 0.0})


def table_bits(graph):
    (node,) = (node for node in graph if node.op == "TableLookup")
    return graph.value(node.inputs[0]).bits


def n_columns(graph):
    return graph.outputs[0].shape[1]


def sum_of_tables(found, table_bits):
    bits = Bits(found.encoder.features, found.encoder.sizes)
    return TableSum.of(found.trees, bits, table_bits)


def numbers_of_columns(found):
    """Return how many columns sums of tables of three bits can have."""
    sums = sum_of_tables(found, 3)
    return {len(sums.columns(room)) for room in pricing._ROOMS}


def builder(price):
    """Return a compiler for which a graph costs `price` of it, and what it compiled."""
    compiled = []

    def build(graph, recombination):
        compiled.append(graph)
        cost = SimpleNamespace(complexity=price(graph), key_bytes=0)
        return SimpleNamespace(cost=cost, graph=graph)

    return build, compiled


def test_fewest_columns_that_are_as_good():
    """Noise leaves a step between few levels: the search finds where it is."""
    found = graphs()
    numbers = numbers_of_columns(found)
    assert len(numbers) > 2
    for step in numbers:
        build, _ = builder(lambda graph, n=step: 1e12 if n_columns(graph) >= n else 2e12)
        built = found.cheapest(build, PRICES)
        assert n_columns(built.graph) == step


def test_keys_and_columns_have_a_price():
    """Few columns, or small keys, are worth a little more work, but not much more."""
    fewest = min(numbers_of_columns(graphs()))
    for work, pays in ((1e6, False), (1e9, True)):
        build, _ = builder(lambda graph, w=work: 1e9 + w * (n_columns(graph) == fewest))
        built = graphs().cheapest(build, PRICES)
        assert (n_columns(built.graph) > fewest) is pays

    def build(graph, recombination):
        small = table_bits(graph) == 3
        cost = SimpleNamespace(
            complexity=1.1e9 if small else 1e9, key_bytes=20e6 if small else 50e6
        )
        return SimpleNamespace(cost=cost, graph=graph)

    assert table_bits(graphs().cheapest(build, UNKNOWN).graph) == 3


@pytest.mark.parametrize("best", [3, 4, 5])
def test_cheapest_size_of_tables(best):
    build, _ = builder(lambda graph: 1.0 if table_bits(graph) == best else 2.0)
    built = graphs().cheapest(build, UNKNOWN)
    assert table_bits(built.graph) == best


def test_sizes_that_cannot_be_best_are_not_compiled():
    found = graphs()
    estimates = {
        bits: search._estimate(sum_of_tables(found, bits), PRICES) for bits in (3, 4)
    }
    cheaper = min(estimates, key=estimates.get)
    build, compiled = builder(lambda graph: 0)
    found.cheapest(build, PRICES)
    assert {table_bits(graph) for graph in compiled} == {cheaper}


def test_a_graph_without_parameters_is_passed_over():
    def price(graph):
        if n_columns(graph) < 4 or table_bits(graph) == 3:
            raise CompilationError("no parameters")
        return 1e12

    build, _ = builder(price)
    built = graphs().cheapest(build, PRICES)
    assert table_bits(built.graph) > 3
    assert n_columns(built.graph) >= 4

    def never(graph):
        raise CompilationError("no parameters")

    with pytest.raises(CompilationError, match="no parameters"):
        graphs().cheapest(builder(never)[0], PRICES)


@pytest.mark.parametrize(
    ("limit", "expected"), [("SLOW", CostWarning), ("HOPELESS", CompilationError)]
)
def test_too_large_an_ensemble(limit, expected, monkeypatch):
    """Says what it would cost, and which parameters make it smaller."""
    monkeypatch.setattr(_cost, "SLOW", 0)
    monkeypatch.setattr(_cost, limit, 0)
    build, _ = builder(lambda graph: 1.0)
    message = r"12 trees take \d+ table look-ups: about .* s .*max_depth.*n_bits"
    if expected is CostWarning:
        with pytest.warns(CostWarning, match=message):
            graphs().cheapest(build, PRICES)
    else:
        with pytest.raises(CompilationError, match=message):
            graphs().cheapest(build, PRICES)


@pytest.mark.parametrize("encoding", ["thermometer", "integer"])
@pytest.mark.parametrize("n_trees", [1, 12])
def test_all_that_are_compiled_give_the_same(encoding, n_trees):
    """The client makes the outputs of the default graph of the results of any other."""
    trees, X = ensemble(n_trees=n_trees, n_edges=40)
    found = TreeGraphs(trees, X, TreeOptions(encoding=encoding))
    default, decoder = found.default()
    q_X = found.encoder.quant(X)
    (expected,) = run_clear(default, [q_X])
    n_results = []

    def build(graph, recombination):
        (results,) = run_clear(graph, [q_X])
        np.testing.assert_array_equal(recombination(results), expected)
        n_results.append(results.shape[1])
        cost = SimpleNamespace(complexity=1e12 - len(n_results), key_bytes=0)
        return SimpleNamespace(cost=cost)

    found.cheapest(build, PRICES)
    assert len(n_results) > 1 or n_trees == 1
    scores = decoder.dequant(expected)
    assert scores.shape == (len(X), 1)


@pytest.mark.simulate
@pytest.mark.parametrize("room", [8, 9.5, 12])
def test_few_columns_tell_the_price_of_all(room):
    """Parameters depend on the widest and the noisiest sum, not on how many there are."""
    found = TreeGraphs(*ensemble(n_trees=30, depth=4), TreeOptions())
    sums = sum_of_tables(found, 4)
    columns = sums.columns(room)
    few = sums.telling(columns)
    assert sums.n_read(few) < sums.n_read(columns) == sums.n_tables
    whole, part = (
        Circuit(sums.lowered(some).graph, p_error=2**-40) for some in (columns, few)
    )
    assert part.programmable_bootstrap_count == sums.n_read(few)
    assert whole.programmable_bootstrap_count == sums.n_tables
    assert part.complexity / sums.n_read(few) == pytest.approx(
        whole.complexity / sums.n_tables
    )
    assert part.cost.key_bytes == whole.cost.key_bytes


def n_tables(graph):
    (node,) = (node for node in graph if node.op == "TableLookup")
    return graph.constants[node.inputs[1]].shape[1]


def test_of_many_tables_few_are_compiled_for_a_price(monkeypatch):
    """What is built is what would be if all were compiled for each number of columns."""

    def price(graph):
        return n_tables(graph) * (2e9 if graph.outputs[0].bits > 8 else 1e9)

    found = TreeGraphs(*ensemble(n_trees=40, depth=4), TreeOptions())
    every, compiled = builder(price)
    expected = found.cheapest(every, PRICES).graph
    monkeypatch.setattr(pricing, "_MANY_TABLES", 0)
    few, of_few = builder(price)
    built = found.cheapest(few, PRICES).graph
    for name, array in expected.constants.items():
        np.testing.assert_array_equal(array, built.constants[name])
    assert sum(map(n_tables, of_few)) < sum(map(n_tables, compiled)) * 0.75


def test_few_columns_that_tell_too_little_are_not_trusted(monkeypatch):
    """If all cost more than a few promised, all numbers of columns are compiled."""
    found = graphs()
    expected = found.cheapest(builder(lambda graph: 1e9 * n_columns(graph))[0], PRICES)
    monkeypatch.setattr(pricing, "_MANY_TABLES", 0)
    built = found.cheapest(builder(lambda graph: 1e9 * n_columns(graph))[0], PRICES)
    assert n_columns(built.graph) == n_columns(expected.graph)


def test_some_of_many_trees_tell_the_sizes(monkeypatch):
    """The sum is that of all trees, the same each time."""
    trees, X = ensemble(n_trees=30)
    found = TreeGraphs(trees, X, TreeOptions())
    default, _ = found.default()
    q_X = found.encoder.quant(X)
    (expected,) = run_clear(default, [q_X])
    monkeypatch.setattr(search, "_MANY_LEAVES", 50)
    assert 0 < len(search._some(found.trees)) < 10
    first, again = (found.cheapest(checked(q_X, expected), PRICES) for _ in "ab")
    assert n_columns(first.graph) == n_columns(again.graph)
    for name, array in first.graph.constants.items():
        np.testing.assert_array_equal(array, again.graph.constants[name])


def checked(q_X, expected):
    """Return a compiler that compares the results of graphs with those expected."""

    def build(graph, recombination):
        (results,) = run_clear(graph, [q_X])
        np.testing.assert_array_equal(recombination(results), expected)
        return SimpleNamespace(
            cost=SimpleNamespace(complexity=1e9, key_bytes=0), graph=graph
        )

    return build


def test_sums_that_were_compared_are_not_kept():
    """They would make the file of a model several times larger."""
    found = graphs()
    found.default()
    before = len(pickle.dumps(found))
    found.cheapest(builder(lambda graph: 1.0)[0], PRICES)
    assert len(pickle.dumps(found)) < 1.01 * before
    assert len(pickle.dumps(sum_of_tables(found, 3))) > before
    loaded = pickle.loads(pickle.dumps(found))
    for trees in (found, loaded):
        assert sum_of_tables(trees, 3).n_tables > 0
    graph, again = (sum_of_tables(t, 3).lowered().graph for t in (found, loaded))
    for name, array in graph.constants.items():
        np.testing.assert_array_equal(array, again.constants[name])


def test_only_features_that_are_compared_are_sent():
    trees, X = ensemble()
    wider = Ensemble(trees.trees, trees.thresholds, 9)
    found = TreeGraphs(wider, np.pad(X, ((0, 0), (0, 3))), TreeOptions())
    assert found.encoder.features == tuple(range(6))


def test_constant_trees_still_send_something():
    constant = Ensemble((Leaf(np.array([3.0])),) * 2, {}, 2)
    for bin_edges in (None, BinEdges([np.empty(0), np.array([1.5])])):
        found = TreeGraphs(constant, np.zeros((5, 2)), TreeOptions(bin_edges=bin_edges))
        graph, decoder = found.default()
        assert graph.inputs[0].shape == (None, 1)
        assert decoder.dequant(np.zeros((1, 1), int)) == [[6.0]]


@pytest.mark.parametrize(
    ("encoding", "encoder"), [("thermometer", ThermometerEncoder), ("integer", BinEncoder)]
)
def test_encodings(encoding, encoder):
    found = graphs(encoding=encoding)
    assert type(found.encoder) is encoder
    graph, _ = found.default()
    assert graph.inputs[0].high == found.encoder.high


def test_digits_are_compared_where_bins_are_many():
    trees, X = ensemble(n_edges=40)
    found = TreeGraphs(trees, X, TreeOptions(encoding="integer"))
    build, compiled = builder(lambda graph: 1e12 - len(graph.nodes))
    built = found.cheapest(build, PRICES)
    assert any(node.op == "ExtractBits" for node in built.graph)
    assert any(node.op != "ExtractBits" for graph in compiled for node in graph)


@pytest.mark.parametrize("enabled", [True, False])
def test_collector_is_left_as_it_was(enabled, monkeypatch):
    """It does not run for many leaves; if nothing can be built it runs again, if it did."""
    monkeypatch.setattr(search, "_MANY_LEAVES", 20)
    calls = []

    def build(graph, recombination):
        calls.append("build")
        raise CompilationError("no parameters")

    collector = SimpleNamespace(
        isenabled=lambda: enabled,
        enable=lambda: calls.append("enable"),
        disable=lambda: calls.append("disable"),
    )
    monkeypatch.setattr(search, "gc", collector)
    found = graphs()
    with pytest.raises(CompilationError, match="no parameters"):
        found.cheapest(build, PRICES)
    assert calls[:2] == ["disable", "build"]
    assert calls[-1] == ("enable" if enabled else "build")
    assert calls.count("enable") == enabled
