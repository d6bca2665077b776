"""Files of other exporters: what is decrypted, against onnxruntime."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.datasets import load_iris

from fhe_estimators.core.numpy_module import NumpyModule
from fhe_estimators.torch import compile_onnx_model

FILES = sorted((Path(__file__).parent / "models").glob("*.onnx"))
IRIS = load_iris().data.astype(np.float32)
#: Every seventh row lacks the third number.
MISSING = np.zeros(IRIS.shape, bool)
MISSING[::7, 2] = True
#: Outputs are numbers, labels, or maps from labels to numbers.
LOW = {"n_bits": 8, "p_error": 2**-20}
#: Largest errors of scores in parts of their largest number; most labels are the same.
ERRORS = {"dynamo": 0.15, "gaussian": 0.5, "svc": 0.15}


def rows_of(path):
    """Return rows of the shape that a model takes."""
    model = onnx.load(path)
    sizes = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    if "missing" in path.stem:
        return np.where(MISSING, np.nan, IRIS)
    if sizes == [4]:
        return IRIS
    return np.random.default_rng(0).normal(size=(60, *sizes)).astype(np.float32)


def meant(path, rows):
    """Return what onnxruntime gives; maps as an array."""
    session = onnxruntime.InferenceSession(path.read_bytes())
    session_input = session.get_inputs()[0].name
    return [
        np.array([list(row.values()) for row in result])
        if isinstance(result, list)
        else result
        for result in session.run(None, {session_input: rows})
    ]


def is_label(array):
    return array.dtype.kind in "iUO"


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def path(request):
    return request.param


def test_there_are_files():
    assert len(FILES) == 22


def test_float_meaning(path):
    rows = rows_of(path)
    expected = meant(path, rows)
    for found, other in zip(NumpyModule(path).outputs(rows), expected, strict=True):
        if is_label(other):
            np.testing.assert_array_equal(
                found.ravel().astype(str), other.ravel().astype(str)
            )
        else:
            np.testing.assert_allclose(
                np.reshape(found, other.shape), other, rtol=1e-3, atol=1e-4
            )


@pytest.mark.simulate
def test_simulated(path):
    rows = rows_of(path)
    module = compile_onnx_model(path, rows, **LOW)
    results = module.forward(rows)
    results = results if isinstance(results, tuple) else (results,)
    error = next((e for name, e in ERRORS.items() if name in path.stem), 0.05)
    for found, other in zip(results, meant(path, rows), strict=True):
        if is_label(other):
            same = found.ravel().astype(str) == other.ravel().astype(str)
            assert same.mean() >= 0.97
        else:
            bound = error * np.abs(other).max()
            assert np.abs(np.reshape(found, other.shape) - other).max() <= bound
    simulated = module.forward(rows[:3], fhe="simulate")
    simulated = simulated if isinstance(simulated, tuple) else (simulated,)
    for found, other in zip(simulated, results, strict=True):
        np.testing.assert_array_equal(found, other[:3])


@pytest.mark.fhe
@pytest.mark.parametrize("name", ["random_forest_names", "logistic_names"])
def test_encrypted_labels(name):
    path = next(path for path in FILES if path.stem == name)
    module = compile_onnx_model(path, IRIS, **LOW)
    labels, scores = module.forward(IRIS[::60], fhe="execute")
    expected, meant_scores = meant(path, IRIS[::60])
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_allclose(scores, meant_scores, atol=0.02)
