"""Keys stay in the client object, training rows with who fits."""

import io
import logging
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone, is_classifier

from fhe_estimators import LogisticRegression, RandomForestClassifier
from fhe_estimators._tree_based import TreeMixin
from fhe_estimators.base import parent_of
from fhe_estimators.testing import all_estimators
from tests.test_common import ESTIMATORS


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


def pickled(model, path):
    path.write_bytes(pickle.dumps(model))


@pytest.mark.fhe
@pytest.mark.parametrize(
    ("compiled", "dump"),
    [
        (False, joblib.dump),
        (True, joblib.dump),
        (True, pickled),
        pytest.param(False, pickled, marks=pytest.mark.nightly),
    ],
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
from fhe_estimators.core.engine import ConcreteEngine
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


def training_values_in(dump, X):
    """Return how many values, and runs of two as single floats, a file has of rows."""
    single = X.astype(np.float32)
    runs = [*single[:, :-1].ravel(), *single[:-1].ravel()]
    following = [*single[:, 1:].ravel(), *single[1:].ravel()]
    return sum(value.tobytes() in dump for value in X.ravel()) + sum(
        a.tobytes() + b.tobytes() in dump for a, b in zip(runs, following, strict=True)
    )


def is_made_of_rows(estimator):
    """Return whether the fitted model is rows of training: neighbours, support vectors."""
    return type(estimator).__name__ in (
        *("KNeighborsClassifier", "KNeighborsRegressor", "OneClassSVM", "SVC", "SVR"),
    )


def distinctive(estimator):
    """Return rows of numbers that nothing else is, and a target."""
    X = np.random.default_rng(0).uniform(1, 2, size=(60, 4))
    y = X[:, 0] + X[:, 1] > 3
    return X, y.astype(int) if is_classifier(estimator) else 1 + X @ [1, 2, 3, 4]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "estimator",
    [found for found in ESTIMATORS if not is_made_of_rows(found)],
    ids=lambda found: type(found).__name__,
)
def test_no_training_row_in_pickles(estimator):
    """Nor any value of one, as there is none in the file of the parent."""
    X, y = distinctive(estimator)
    model = clone(estimator)
    if isinstance(model, TreeMixin):
        model.set_params(n_bits=8)  # a bin for each value
    model.fit(X, y)
    assert training_values_in(pickle.dumps(X) + X.astype("f4").tobytes(), X) > X.size
    assert training_values_in(pickle.dumps(model), X) == 0
    file = io.BytesIO()
    joblib.dump(model, file)
    assert training_values_in(file.getvalue(), X) == 0


@pytest.mark.parametrize("name", ["HistGradientBoostingClassifier", "XGBClassifier"])
def test_no_row_of_other_ways_to_fit_in_pickles(name):
    """Rows to evaluate on, a fit that goes on or fails, a twin."""
    cls = dict(all_estimators())[name]
    X, y = distinctive(cls())
    other = X[::-1] + 1.5
    if name == "XGBClassifier":
        model = cls(n_estimators=3, early_stopping_rounds=1, n_bits=8)
        model.fit(X, y, eval_set=[(other, y)], verbose=False)
    else:
        model = cls(max_iter=3, early_stopping=True, warm_start=True, n_bits=8).fit(X, y)
        model.set_params(max_iter=5).fit(other, y)
    twins = [
        cls.from_sklearn_model(parent_of(cls)().fit(X, y), X, n_bits=n_bits)
        for n_bits in (None, 8)
    ]
    failed = clone(model).set_params(max_depth=-2)
    with pytest.raises(Exception, match="max_depth"):
        failed.fit(X, y)
    for found in (model, failed, *twins):
        assert training_values_in(pickle.dumps(found), np.concatenate([X, other])) == 0


@pytest.mark.simulate
@pytest.mark.parametrize("cls", [LogisticRegression, RandomForestClassifier])
def test_no_training_row_in_compiled_models(cls):
    X, y = distinctive(cls())
    model = cls(n_bits=3).fit(X, y)
    model.predict(X, fhe="simulate")
    assert training_values_in(pickle.dumps(model), X) == 0
