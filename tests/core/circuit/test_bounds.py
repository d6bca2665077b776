"""Ranges hold by construction: no input whatever makes an integer wrap."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fhe_estimators import LinearRegression, Ridge
from fhe_estimators.core.circuit import _bounds
from fhe_estimators.core.circuit._bounds import extremes, norm_bits
from fhe_estimators.core.circuit._packing import Packing
from fhe_estimators.core.engine import ClearEngine, run_clear
from fhe_estimators.core.frontends.torch import export_linear
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.lowering import Calibration, Options, to_quantized_module

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


@st.composite
def models(draw):
    """A linear map, the rows that it is calibrated on, and bits."""
    n_features, n_outputs = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    unit = st.floats(-1e6, 1e6, allow_nan=False)
    coef = draw(arrays(np.float64, (n_outputs, n_features), elements=unit))
    intercept = draw(arrays(np.float64, (n_outputs,), elements=unit))
    rows = draw(arrays(np.float64, (draw(st.integers(1, 8)), n_features), elements=unit))
    bits = BitWidths(draw(st.integers(1, 16)), draw(st.integers(1, 16)))
    return to_quantized_module(
        export_linear(coef, intercept, "identity"), Calibration([rows]), Options(bits)
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models(), st.data())
def test_no_input_leaves_the_declared_ranges(module, data):
    """The checking engine raises if any integer leaves its range."""
    module.compile(engine=ClearEngine())
    (source,) = module.graph.inputs
    rows = data.draw(arrays(np.float64, (4, source.shape[1]), elements=finite))
    q = module.quantize_input(rows)
    assert q.min() >= source.low
    assert q.max() <= source.high
    clear = module.quantized_forward(q)
    np.testing.assert_array_equal(module.quantized_forward(q, fhe="execute"), clear)
    np.testing.assert_array_equal(module.quantized_forward(q, fhe="simulate"), clear)
    assert np.isfinite(module.dequantize_output(clear)).all()


@settings(max_examples=100, deadline=None)
@given(models())
def test_declared_ranges_are_reached(module):
    """They are not only safe but tight: some corner of the inputs attains them."""
    (source,), (output,) = module.graph.inputs, module.graph.outputs
    (node,) = module.graph.nodes
    weights = module.graph.constants[node.inputs[1]]
    corners = np.where(weights.T > 0, source.high, source.low)
    others = np.where(weights.T > 0, source.low, source.high)
    results = run_clear(module.graph, [np.concatenate([corners, others])])[0]
    assert results.max() == output.high
    assert results.min() == output.low


@pytest.mark.fhe
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(arrays(np.float64, (7, 3), elements=finite))
def test_execute_is_clear_for_any_input(rows):
    """Encrypted, in one row a ciphertext and in several, whatever the numbers."""
    model = _ridge()
    clear = model.quantized_module.quantized_forward(model.quantize_input(rows))
    circuit = model.fhe_circuit
    q = model.quantize_input(rows)
    np.testing.assert_array_equal(circuit.encrypt_run_decrypt(q), clear)
    np.testing.assert_array_equal(circuit.encrypt_run_decrypt(q[:1]), clear[:1])


_MODELS = []


def _ridge():
    if not _MODELS:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(40, 3)) * [1, 1e3, 1e-3]
        _MODELS.append(Ridge(alpha=1e-9).fit(X, X.sum(axis=1)))
        _MODELS[0].compile()
    return _MODELS[0]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_packing_is_exact(data):
    """Results of several rows are read off their weighted sum, whatever they are."""
    bits = data.draw(st.integers(1, 20))
    packing = Packing(data.draw(st.integers(1, 62 // bits)), bits)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    n_rows = data.draw(st.integers(1, 9))
    results = data.draw(arrays(np.int64, (n_rows, 2), elements=st.integers(low, high)))
    packed = packing.pack(results)
    assert len(packed) == -(-n_rows // packing.slots)
    np.testing.assert_array_equal(packing.unpack(packed, n_rows), results)


@pytest.mark.fhe
def test_arrays_of_any_layout_are_encrypted_right():
    """The engine encrypts arrays that are not C-contiguous to wrong values; we copy."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 6))
    model = LinearRegression().fit(X, X @ np.arange(6))
    circuit = model.compile()
    q = model.quantize_input(X[:8])
    clear = model.quantized_module.quantized_forward(q)
    layouts = [np.asfortranarray(q), np.repeat(q, 2, axis=1)[:, ::2], q[::-1][::-1]]
    for layout in layouts[:2]:
        assert not layout.flags.c_contiguous
    program = circuit._program(circuit._plan(4))
    for layout in layouts:
        np.testing.assert_array_equal(circuit.encrypt_run_decrypt(layout), clear)
        rows = np.asfortranarray(layout[: program.rows])
        np.testing.assert_array_equal(
            program.decrypt(program.run(program.encrypt(rows)))[0], clear[: len(rows)]
        )
    # The hazard is real: without the copy the same rows give something else.
    assert len(rows) > 1
    raw = program._client.encrypt(np.asfortranarray(q[: len(rows)]))
    assert not np.array_equal(program.decrypt(program.run((raw,)))[0], clear[: len(rows)])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(bad):
    model = _ridge()
    rows = np.zeros((2, 3))
    rows[1, 2] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model.predict(rows)
    with pytest.raises(ValueError, match="nan or infinity"):
        model.quantized_module.quantize_input(rows)


def test_circuit_refuses_integers_out_of_range():
    model = _ridge()
    circuit = model.fhe_circuit
    for wrong, words in [
        (np.full((1, 3), 128), "128"),
        (np.zeros((1, 2), int), "shape"),
        (np.zeros((1, 3)), "integers"),
        (np.zeros(3, int), "shape"),
    ]:
        with pytest.raises(ValueError, match=words):
            circuit.encrypt_run_decrypt(wrong)
    with pytest.raises(TypeError, match="1 inputs"):
        circuit.encrypt_run_decrypt()
    with pytest.raises(ValueError, match="1 row"):
        circuit.encrypt(np.zeros((2, 3), int))


def test_many_rows_in_clear_are_computed_as_few():
    """They are computed in blocks; what is wrong with one row is still an error."""
    model = _ridge()
    rows = np.random.default_rng(1).normal(size=(150_001, 3)) * [1, 1e3, 1e-3]
    few = np.concatenate([model.predict(part) for part in np.array_split(rows, 60)])
    np.testing.assert_array_equal(model.predict(rows), few)
    rows[-1, -1] = np.inf
    with pytest.raises(ValueError, match="nan or infinity"):
        model.quantized_module.scores(rows)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models(), st.data())
def test_scores_are_those_of_the_integers(module, data):
    """Integers that are held by floats give the same scores, exactly."""
    shape = (3, module.graph.inputs[0].shape[1])
    rows = data.draw(arrays(np.float64, shape, elements=finite))
    integers = module.quantized_forward(module.quantize_input(rows))
    np.testing.assert_array_equal(module.scores(rows), module.dequantize_output(integers))


def product_of(weights, *, detour):
    """Return the graph of a product, with a node in front that changes nothing."""
    n_features, n_outputs = weights.shape
    rows, name = (None, n_features), "y" if detour else "x"
    product = Node("MatMul", (name, "weights"), ("product",))
    nodes = (Node("Flatten", ("x",), ("y",)), product) if detour else (product,)
    bound = int(8 * np.abs(weights).sum(axis=0).max())
    result = Value("product", (None, n_outputs), -bound, bound)
    values = {"y": Value("y", rows, -8, 7), "product": result}
    source = Value("x", rows, -8, 7)
    return Graph(nodes, (source,), (result,), {"weights": weights}, values)


def test_slopes_of_a_product_are_its_weights():
    weights = np.random.default_rng(0).integers(-9, 10, size=(30, 4))
    direct, detour = (product_of(weights, detour=detour) for detour in (False, True))
    assert norm_bits(direct) == norm_bits(detour)
    assert norm_bits(direct) == np.log2(np.linalg.norm(weights, axis=0).max())
    # Two rows of ends, two for each node.
    for found, expected in zip(
        extremes(direct), extremes(detour)[:2] + extremes(detour)[-2:], strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 12), st.integers(1, 8), st.booleans(), st.integers(0, 2**32 - 1))
def test_extremes_of_few_slopes_are_those_of_all(n_inputs, n_sums, is_code, seed):
    """What is known of slopes that are not zero gives the same rows as all slopes."""
    random = np.random.default_rng(seed)
    weights = random.integers(-9, 10, (n_inputs, n_sums))
    weights *= random.random(weights.shape) < random.random()
    ends = np.sort(
        random.choice(n_inputs - 1, random.integers(n_inputs), replace=False) + 1
    )
    runs = tuple(np.diff([0, *ends, n_inputs]).tolist()) if is_code else ()
    low, high = (0, 1) if is_code else (int(random.integers(-8, 1)), 7)
    source = Value("x", (None, n_inputs), low, high, runs)
    values = [Value(name, (None, n_sums), -1000, 1000) for name in ("product", "sum")]
    graph = Graph(
        (
            Node("MatMul", ("x", "weights"), ("product",)),
            Node("Add", ("product", "base"), ("sum",)),
        ),
        (source,),
        (values[1],),
        {"weights": weights, "base": random.integers(-9, 10, (1, n_sums))},
        {value.name: value for value in (source, *values)},
    )
    found = extremes(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_bounds, "_affine", lambda linear: None)
        expected = extremes(graph)
    assert len(found) == len(expected) == 6
    for row, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(row, other)


def test_wide_rows_need_no_square_of_their_size():
    """A unit vector for each of these features would take 320 GB."""
    graph = product_of(np.ones((200_000, 1), np.int64), detour=False)
    assert norm_bits(graph) == pytest.approx(np.log2(200_000) / 2)
    assert extremes(graph)[-1][0].sum() == 7 * 200_000


def test_extremes_of_few_of_many_bits():
    """Slopes are those of the bits that are read: 100,000 others take no memory."""
    chosen = np.array([1, 3, 70_000, 99_999])
    weights = np.array([[3, -1], [-2, 5], [4, -7], [-9, 2]])
    source = Value("bits", (None, 100_000), 0, 1, (50_000, 50_000))
    values = {
        "bits": source,
        "few": Value("few", (None, 4), 0, 1),
        "sum": Value("sum", (None, 2), -16, 9),
    }
    graph = Graph(
        (
            Node("Gather", ("bits", "chosen"), ("few",), {"axis": 1}),
            Node("MatMul", ("few", "weights"), ("sum",)),
        ),
        (source,),
        (values["sum"],),
        {"chosen": chosen, "weights": weights},
        values,
    )
    few = [row[:, chosen] for (row,) in extremes(graph)]
    sums = np.concatenate(few) @ weights
    # Of a code, later bits are set where earlier ones are.
    codes = [np.array([0, 0]), np.array([0, 1]), np.array([1, 1])]
    every = np.array([[*a, *b] for a in codes for b in codes]) @ weights
    assert (sums.min(), sums.max()) == (every.min(), every.max())
