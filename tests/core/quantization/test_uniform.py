"""Quantizers, quantized arrays, bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fhe_estimators import BitWidthError
from fhe_estimators.core.integers import BitWidths
from fhe_estimators.core.quantization import check_n_bits, resolve_n_bits
from fhe_estimators.quantization import QuantizedArray, UniformQuantizer

reals = st.floats(-1e150, 1e150, allow_nan=False)
quantizers = st.sampled_from([(False, False), (True, False), (True, True)])


@given(
    arrays(np.float64, st.integers(1, 8), elements=reals), st.integers(1, 16), quantizers
)
def test_round_trip_within_half_a_step(values, n_bits, kind):
    """Numbers that were fitted come back within half a step (one, if the zero point is
    rounded), and integers stay in range."""
    signed, symmetric = kind
    quantizer = UniformQuantizer(n_bits, signed=signed, symmetric=symmetric).fit(values)
    q = quantizer.quant(values)
    assert q.dtype == np.int64
    assert q.min() >= quantizer.low
    assert q.max() <= quantizer.high
    if n_bits == 1 and symmetric:
        return  # 0 and -1 only: positive numbers have no integer
    error = np.abs(quantizer.dequant(q) - values)
    assert (error <= quantizer.scale * (1 + 1e-6)).all()


@given(arrays(np.float64, 6, elements=reals), st.integers(1, 16), quantizers)
def test_integers_are_fixed_points(values, n_bits, kind):
    """quant(dequant(q)) is q, for every integer of the range."""
    quantizer = UniformQuantizer(n_bits, signed=kind[0], symmetric=kind[1]).fit(values)
    low, high = quantizer.bounds
    q = np.unique(np.linspace(low, high, 50).astype(np.int64))
    np.testing.assert_array_equal(quantizer.quant(quantizer.dequant(q)), q)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_any_number_is_clipped_not_wrapped(values):
    """Order is kept, however far the numbers are from those fitted."""
    quantizer = UniformQuantizer(5, signed=True).fit([-1.0, 2.0])
    ordered = np.sort(values)
    q = quantizer.quant(ordered)
    assert (np.diff(q) >= 0).all()
    assert ((q >= -16) & (q <= 15)).all()


def test_range_of_integers():
    assert (UniformQuantizer(8).low, UniformQuantizer(8).high) == (0, 255)
    signed = UniformQuantizer(8, signed=True)
    assert (signed.low, signed.high) == (-128, 127)
    symmetric = UniformQuantizer(8, signed=True, symmetric=True).fit([-1.0, 0.5])
    assert (symmetric.low, symmetric.high, symmetric.zero_point) == (-127, 127, 0)
    np.testing.assert_array_equal(symmetric.quant([-1.0, 0.0, 1.0]), [-127, 0, 127])


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 1e9, 1e-30])
@pytest.mark.parametrize("signed", [False, True])
def test_one_number_is_exact(value, signed):
    """A feature that is constant has a step, and its number is represented exactly."""
    quantizer = UniformQuantizer(4, signed=signed).fit([value, value])
    assert quantizer.scale > 0
    assert quantizer.dequant(quantizer.quant([value]))[0] == pytest.approx(value)


def test_scale_for_each_feature():
    X = np.array([[0.0, 1000.0], [1.0, 1001.0], [0.5, 1000.5]])
    quantizer = UniformQuantizer(8).fit(X, axis=0)
    assert quantizer.scale.shape == (2,)
    np.testing.assert_allclose(quantizer.dequant(quantizer.quant(X)), X, atol=0.005)


def test_results_of_integers_are_dequantized():
    """A sum of products has a scale and zero point of its own (a fraction, even)."""
    quantizer = UniformQuantizer(
        20, signed=True, scale=np.array([0.5, 2]), zero_point=[0.5, 0]
    )
    np.testing.assert_array_equal(quantizer.dequant([[1, 1]]), [[0.25, 2.0]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: UniformQuantizer(8, symmetric=True), "signed"),
        (lambda: UniformQuantizer(0), "0"),
        (lambda: UniformQuantizer(8, scale=1.0), "zero_point"),
        (lambda: UniformQuantizer(8).quant([1.0]), "fit"),
        (lambda: UniformQuantizer(8).dequant([1]), "fit"),
        (lambda: UniformQuantizer(8).fit([]), "empty"),
        (lambda: UniformQuantizer(8).fit([np.nan]), "nan"),
        (lambda: UniformQuantizer(8).fit([1.0, np.inf]), "infinity"),
        (lambda: UniformQuantizer(8).fit_range(1.0, 0.0), "smallest > largest"),
    ],
)
def test_wrong_quantizers(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_equality_and_repr():
    first, second = (UniformQuantizer(8).fit([0.0, 1.0]) for _ in range(2))
    assert first == second
    assert first != UniformQuantizer(7).fit([0.0, 1.0])
    assert first != 8
    assert "8 bits, unsigned" in repr(first)


def test_quantized_array():
    array = QuantizedArray(4, [[-1.0, 3.0], [0.2, 1.0]], signed=True)
    assert array.n_bits == 4
    np.testing.assert_array_equal(array.quant(), array.qvalues)
    np.testing.assert_allclose(array.values, [[-1, 3], [0.2, 1]], atol=0.14)
    again = QuantizedArray.from_integers(array.qvalues, array.quantizer)
    np.testing.assert_array_equal(again.values, array.values)
    same_grid = QuantizedArray(99, [0.0], quantizer=array.quantizer)
    assert same_grid.n_bits == 4
    with pytest.raises(BitWidthError, match=r"-9.*\[-8, 7\]"):
        QuantizedArray.from_integers([-9], array.quantizer)
    assert "(2, 2)" in repr(array)


def test_n_bits():
    assert resolve_n_bits(np.int8(4)).op_weights == 4
    for wrong in (0, 17, -1, np.int64(17)):
        with pytest.raises(ValueError, match=f"n_bits.*{wrong}"):
            check_n_bits(wrong, "n_bits")
    for wrong in ("8", 8.0, None, True):
        with pytest.raises(TypeError, match="n_bits"):
            resolve_n_bits(wrong)
    assert resolve_n_bits({"op_inputs": 3}) == BitWidths(3, 3)
    assert resolve_n_bits({"op_weights": 3, "model_inputs": 5}) == BitWidths(3, 3, 5)
    for wrong in ({}, {"model_inputs": 3}, {"op_inputs": 3, "weights": 4}):
        with pytest.raises(ValueError, match="'n_bits' must have the key op_inputs or"):
            resolve_n_bits(wrong)
    with pytest.raises(ValueError, match=r"n_bits\['op_weights'\] must be .*99"):
        resolve_n_bits({"op_inputs": 3, "op_weights": 99})


def test_shapes_and_many_numbers():
    """One number, a row, many rows; integers held by floats are the same ones."""
    rng = np.random.default_rng(0)
    many = rng.normal(size=(400_001, 3)) * [1, 1e3, 1e-3]
    quantizer = UniformQuantizer(9, signed=True).fit(many[:100], axis=0)
    q = quantizer.quant(many)
    parts = [quantizer.quant(rows) for rows in np.array_split(many, 7)]
    np.testing.assert_array_equal(q, np.concatenate(parts))
    assert quantizer.quant(many[0, 0]).shape == (3,)
    assert UniformQuantizer(9).fit([0.0, 1.0]).quant(0.5).shape == ()
    np.testing.assert_array_equal(quantizer.quant(many, np.float64), q)
    many[-1, -1] = np.nan
    with pytest.raises(ValueError, match="nan"):
        quantizer.quant(many)


@pytest.mark.parametrize("symmetric", [False, True])
def test_features_of_one_number_have_one_integer(symmetric):
    numbers = np.array([[0.0, 5.0, 1.0], [0.0, 5.0, 2.0]])
    numbers = numbers[:, [0, 2]] if symmetric else numbers
    quantizer = UniformQuantizer(4, signed=True, symmetric=symmetric).fit(numbers, axis=0)
    np.testing.assert_allclose(quantizer.dequant(quantizer.quant(numbers)), numbers, 0.15)
    low, high = quantizer.bounds
    assert (low[:-1] == 0).all()
    assert (high[:-1] == 0).all()
    assert (low[-1], high[-1]) == (quantizer.low, quantizer.high)
    # Numbers beyond the range are clipped, however narrow it is.
    assert (quantizer.quant(numbers + 100)[:, :-1] == 0).all()


def test_dequantization_is_total():
    """Integers that were decrypted wrongly, with a high p_error, stand for numbers too."""
    quantizer = UniformQuantizer(4).fit(np.array([-1.0, 2.0]))
    limits = np.iinfo(np.int64)
    wrong = np.array([limits.min // 2, -(2**40), -9, 99, 2**40, limits.max // 2])
    assert np.isfinite(quantizer.dequant(wrong)).all()
