"""Keys stay in the client object."""

import io
import logging
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest

from fhe_estimators import LogisticRegression


def secret_of(program):
    """Return a piece of the program's secret key, as the engine serializes it."""
    serialized = program._client.keys.serialize()
    words = np.frombuffer(serialized[: len(serialized) // 8 * 8], dtype=np.uint64)
    # The key is a run of 64-bit zeros and ones.
    is_bit = words <= 1
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_bit.astype(int), [0]])))
    first, last = max(zip(edges[::2], edges[1::2], strict=True), key=lambda e: e[1] - e[0])
    key = words[first:last]
    assert len(key) > 500
    assert 0.4 < key.mean() < 0.6
    return key[100:400].tobytes()


@pytest.fixture(scope="module")
def executed():
    """A model that has keys, in its single and its batch program, and rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    model = LogisticRegression().fit(X, X[:, 0] + X[:, 1] > 0)
    model.predict(X[:1], fhe="execute")
    model.predict(X[:4], fhe="execute")
    return model, X


def forms_of(key):
    """Yield the key as stored, and packed into bits and bytes."""
    bits = np.frombuffer(key, dtype=np.uint64).astype(np.uint8)
    yield key
    yield bits.tobytes()
    yield np.packbits(bits).tobytes()
    yield np.packbits(bits, bitorder="little").tobytes()


@pytest.mark.fhe
def test_no_secret_key_in_pickles(executed):
    model, _ = executed
    programs = model.fhe_circuit._programs.values()
    assert len(programs) == 2
    dumps = [pickle.dumps(model), pickle.dumps(model.fhe_circuit)]
    file = io.BytesIO()
    joblib.dump(model, file)
    dumps.append(file.getvalue())
    for program in programs:
        secret = secret_of(program)
        assert secret in program._client.keys.serialize()  # the search finds a key
        for form in forms_of(secret):
            assert all(form not in dump for dump in dumps)


@pytest.mark.fhe
def test_programs_refuse_to_be_pickled_with_keys(executed):
    model, _ = executed
    for program in model.fhe_circuit._programs.values():
        with pytest.raises(TypeError, match="key"):
            pickle.dumps(program)


@pytest.mark.fhe
def test_no_secret_in_texts_and_logs(executed, caplog):
    model, X = executed
    with caplog.at_level(logging.DEBUG):
        model.compile()
        model.predict(X[:1], fhe="execute")
    program = next(iter(model.fhe_circuit._programs.values()))
    bits = np.frombuffer(secret_of(program), dtype=np.uint64).astype(int)[:64]
    texts = [repr(model), repr(model.fhe_circuit), str(model.fhe_circuit), caplog.text]
    texts += [repr(program), model._repr_html_()]
    for text in texts:
        assert "".join(map(str, bits)) not in text
        assert str(bits.tolist())[1:-1] not in text


@pytest.mark.fhe
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "dump", [joblib.dump, lambda m, path: path.write_bytes(pickle.dumps(m))]
)
def test_other_process_predicts_the_same(tmp_path, compiled, dump):
    """A dump executes elsewhere; a compiled one without compiling again."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5)) * [1, 10, 100, 1, 1]
    model = LogisticRegression().fit(X, X[:, 0] + X[:, 1] > 0)
    if compiled:
        model.predict(X[:5], fhe="execute")
    dump(model, tmp_path / "model.joblib")
    np.save(tmp_path / "X.npy", X[:5])
    script = f"""
import joblib, pickle, numpy as np
try:
    model = joblib.load("model.joblib")
except Exception:
    model = pickle.load(open("model.joblib", "rb"))
from fhe_estimators.engine import ConcreteEngine
if {compiled}:
    def refuse(*args, **kwargs):
        raise AssertionError("compiled again")
    ConcreteEngine.compile = refuse
X = np.load("X.npy")
np.save("clear.npy", model.predict_proba(X))
np.save("encrypted.npy", model.predict_proba(X, fhe="execute"))
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=120)
    expected = model.predict_proba(X[:5])
    for name in ("clear", "encrypted"):
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), expected)


@pytest.mark.fhe
def test_decryption_without_keys_is_refused(executed):
    """New keys would turn somebody else's results into silent garbage."""
    model, X = executed
    circuit = model.fhe_circuit
    results = circuit.run(circuit.encrypt(model.quantize_input(X[:1])))
    loaded = pickle.loads(pickle.dumps(circuit))
    with pytest.raises(ValueError, match="no keys"):
        loaded.decrypt(results)
