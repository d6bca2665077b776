"""The other side of the benchmarks: Concrete ML and TenSEAL, in their own interpreter.

Reads a JSON request a line, ``{"task": name, ...arguments}``, and prints a JSON answer a
line, ``{"answer": ...}`` or ``{"error": traceback}``. Imports nothing of ours.
"""

import base64
import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch
import xgboost
from concrete.ml import sklearn as encrypted
from concrete.ml.deployment import FHEModelClient, FHEModelDev, FHEModelServer
from sklearn import ensemble, linear_model, svm, tree
from sklearn.base import clone
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

#: The estimators that have an encrypted twin, by name.
PLAIN = {
    name: estimator
    for module in (linear_model, svm, tree, ensemble, xgboost)
    for name, estimator in vars(module).items()
}
#: The one fitted model with its circuit, and its rows.
MODEL = None
ROWS = None
#: Of TenSEAL: the client's context, weights and the intercept of a linear model.
CKKS = None


def seconds(call, times=1):
    measured = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        measured.append(time.perf_counter() - start)
    return statistics.median(measured)


def twins(name, parameters, n_bits=8):
    """Return the encrypted estimator and the plain one of the same name."""
    return (
        getattr(encrypted, name)(n_bits=n_bits, **parameters),
        PLAIN[name](**parameters),
    )


def versions():
    names = (
        "concrete-ml",
        "concrete-python",
        "scikit-learn",
        "xgboost",
        "torch",
        "numpy",
        "tenseal",
    )
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return {**found, "python": platform.python_version()}


def prepare(X, y, name, n_bits, p_error):
    """Fit, compile and make keys, so that what follows is prediction alone."""
    global MODEL, ROWS
    MODEL, ROWS = twins(name, {}, n_bits)[0], np.array(X)
    MODEL.fit(ROWS, np.array(y))
    MODEL.compile(ROWS, p_error=p_error)
    MODEL.fhe_circuit.keygen()
    MODEL.predict(ROWS[:1], fhe="execute")


def compiled(p_error):
    """Compile the model and make keys; return what that costs."""
    compiling = seconds(lambda: MODEL.compile(ROWS, p_error=p_error))
    circuit = MODEL.fhe_circuit
    return {
        "compile": compiling,
        "keygen": seconds(circuit.keygen),
        "keys": len(circuit.client.evaluation_keys.serialize()),
        "tables": circuit.programmable_bootstrap_count,
    }


def prepare_trees(X, y, name, parameters, n_bits, p_error):
    """Fit, compile and make keys; return what that costs."""
    global MODEL, ROWS
    MODEL, ROWS = twins(name, parameters, n_bits)[0], np.array(X)
    MODEL.fit(ROWS, np.array(y))
    return compiled(p_error)


def network(X, y, parameters, seed):
    """Return a fitted network; features are scaled, labels count from zero."""
    torch.manual_seed(seed)
    model = encrypted.NeuralNetClassifier(verbose=0, **parameters)
    scaler = StandardScaler().fit(np.array(X))
    rows = scaler.transform(np.array(X)).astype(np.float32)
    return model.fit(rows, np.array(y)), scaler


def prepare_network(X, y, parameters, p_error):
    """Fit, compile and make keys; return what that costs."""
    global MODEL, ROWS
    MODEL, scaler = network(X, y, parameters, 0)
    ROWS = scaler.transform(np.array(X)).astype(np.float32)
    return compiled(p_error)


def network_scores(splits, parameters):
    """Return the accuracy on the test rows of each split, the network's seed its number."""
    found = []
    for seed, (X, y, X_test, y_test) in enumerate(splits):
        model, scaler = network(X, y, parameters, seed)
        rows = scaler.transform(np.array(X_test)).astype(np.float32)
        found.append(float(np.mean(model.predict(rows) == np.array(y_test))))
    return found


def trained_network(model, X, X_test, n_bits, p_error):
    """Quantize an ONNX model after training; return outputs in clear, and its cost."""
    global MODEL
    import onnx
    from concrete.ml.torch.compile import compile_onnx_model

    # Circuits and keys of large networks have no room beside each other.
    MODEL = None
    start = time.perf_counter()
    module = compile_onnx_model(
        onnx.load_from_string(base64.b64decode(model)),
        np.array(X, np.float32),
        n_bits=n_bits,
        rounding_threshold_bits=6,
        p_error=p_error,
    )
    taken = time.perf_counter() - start
    MODEL = module
    return {
        "outputs": module.forward(np.array(X_test, np.float32), fhe="disable").tolist(),
        "complexity": module.fhe_circuit.complexity,
        "seconds": taken,
    }


def trained_network_keys(X):
    """Return seconds to make the keys; the first row brings them into place."""
    taken = seconds(MODEL.fhe_circuit.keygen)
    execute_network(X)
    return taken


def execute_network(X):
    rows = np.array(X, np.float32)
    return seconds(lambda: MODEL.forward(rows, fhe="execute"))


def one_row():
    """Predict a row; return seconds of each stage and in all, and bytes up and down."""
    circuit, clock = MODEL.fhe_circuit, Clock()
    integers = clock("encode", lambda: MODEL.quantize_input(ROWS[:1]))
    sent = clock("encrypt", lambda: circuit.encrypt(integers))
    result = clock("operate", lambda: circuit.run(sent))
    found = clock("decrypt", lambda: circuit.decrypt(result))
    clock("decode", lambda: MODEL.dequantize_output(found))
    return {
        **clock.taken,
        "total": sum(clock.taken.values()),
        "up": len(sent.serialize()),
        "down": len(result.serialize()),
    }


def execute(n_rows):
    return seconds(lambda: MODEL.predict(ROWS[:n_rows], fhe="execute"))


def labels_as_in_clear(n_rows):
    rows = ROWS[:n_rows]
    return int(np.sum(MODEL.predict(rows, fhe="execute") == MODEL.predict(rows)))


def split():
    """Return seconds of the three steps for one row."""
    circuit, q_row = MODEL.fhe_circuit, MODEL.quantize_input(ROWS[:1])
    sent = circuit.encrypt(q_row)
    result = circuit.run(sent)
    return {
        "encrypt": seconds(lambda: circuit.encrypt(q_row), 5),
        "run": seconds(lambda: circuit.run(sent), 5),
        "decrypt": seconds(lambda: circuit.decrypt(result), 5),
    }


def sizes():
    """Return the bytes of one encrypted row, of its result and of evaluation keys."""
    circuit = MODEL.fhe_circuit
    sent = circuit.encrypt(MODEL.quantize_input(ROWS[:1]))
    return {
        "up": len(sent.serialize()),
        "down": len(circuit.run(sent).serialize()),
        "keys": len(circuit.client.evaluation_keys.serialize()),
        "dimension": circuit.complexity,
    }


def peak_memory():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def linear_stages(n_rows):
    """Predict rows, one call each; return seconds of each stage, bytes, and labels."""
    circuit, rows, clock = MODEL.fhe_circuit, ROWS[:n_rows], Clock()
    integers = clock("encode", lambda: MODEL.quantize_input(rows))
    sent = clock("encrypt", lambda: [circuit.encrypt(q[None]) for q in integers])
    results = clock("operate", lambda: [circuit.run(row) for row in sent])
    found = clock("decrypt", lambda: np.vstack([circuit.decrypt(r) for r in results]))
    scores = clock("decode", lambda: MODEL.dequantize_output(found))
    return {
        **clock.taken,
        "up": sum(len(row.serialize()) for row in sent),
        "down": sum(len(row.serialize()) for row in results),
        "keys": len(circuit.client.evaluation_keys.serialize()),
        "labels": (np.ravel(scores) > 0).astype(int).tolist(),
    }


def prepare_ckks(X, y):
    """Fit in clear, and make keys of 128 bits of security."""
    global CKKS, ROWS
    import tenseal

    ROWS = np.array(X)
    plain = linear_model.LogisticRegression().fit(ROWS, np.array(y))
    context = tenseal.context(
        tenseal.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 60]
    )
    context.global_scale = 2**40
    context.generate_galois_keys()
    CKKS = context, plain.coef_[0], float(plain.intercept_[0])


def ckks_stages(n_rows):
    """Predict one row as a vector, or several with a vector for each feature.

    What encrypts encodes, and what decrypts decodes.
    """
    import tenseal

    (context, weights, intercept), clock = CKKS, Clock()
    vectors = [ROWS[0]] if n_rows == 1 else ROWS[:n_rows].T
    sent = clock("encrypt", lambda: [tenseal.ckks_vector(context, v) for v in vectors])

    def score():
        if n_rows == 1:
            return sent[0].dot(weights) + intercept
        total = sent[0] * weights[0]
        for vector, weight in zip(sent[1:], weights[1:], strict=True):
            total += vector * weight
        return total + intercept

    result = clock("operate", score)
    scores = clock("decrypt", result.decrypt)
    public = context.serialize(
        save_public_key=False, save_secret_key=False, save_relin_keys=False
    )
    return {
        **clock.taken,
        "up": sum(len(vector.serialize()) for vector in sent),
        "down": len(result.serialize()),
        # Sums over the elements of a vector need keys that rotate it.
        "keys": len(public) if n_rows == 1 else 0,
        "labels": [int(score > 0) for score in scores],
    }


class Clock:
    """Calls, and keeps the seconds that each took by its name."""

    def __init__(self):
        self.taken = {}

    def __call__(self, name, call):
        start = time.perf_counter()
        result = call()
        self.taken[name] = time.perf_counter() - start
        return result


def served(X, y, name, parameters, p_error):
    """Return what its deployment costs, client and server in one process: no HTTP.

    The server that it came with left the package in 2024.
    """
    X, y = np.array(X), np.array(y)
    model = twins(name, parameters)[0].fit(X, y)
    model.compile(X, p_error=p_error)
    with tempfile.TemporaryDirectory() as folder:
        FHEModelDev(folder, model).save()
        client, server = FHEModelClient(folder), FHEModelServer(folder)
        server.load()
        keys = client.get_serialized_evaluation_keys()
        request = client.quantize_encrypt_serialize(X[:1])
        server.run(request, keys)
        return {
            "ms": 1e3 * seconds(lambda: server.run(request, keys), 5),
            "keys": len(keys),
        }


def fit(X, y, name, times):
    """Return seconds to fit both twins."""
    X, y = np.array(X), np.array(y)
    ours, plain = twins(name, {})
    ours.fit(X, y)
    plain.fit(X, y)
    return {
        "encrypted": seconds(lambda: ours.fit(X, y), times),
        "plain": seconds(lambda: plain.fit(X, y), times),
    }


def predict_clear(X, y, name, n_rows, times):
    """Return seconds of both twins to predict rows that repeat the given ones."""
    X, y = np.array(X), np.array(y)
    rows = np.resize(X, (n_rows, X.shape[1]))
    ours, plain = twins(name, {})
    ours.fit(X, y)
    plain.fit(X, y)
    return {
        "encrypted": seconds(lambda: ours.predict(rows), times),
        "plain": seconds(lambda: plain.predict(rows), times),
    }


def grid_search(X, y, name, n_bits, cv):
    X, y = np.array(X), np.array(y)
    pipeline = make_pipeline(StandardScaler(), twins(name, {})[0])
    grid = {f"{name.lower()}__n_bits": n_bits}
    search = GridSearchCV(pipeline, grid, cv=cv, n_jobs=1)
    return {"seconds": seconds(lambda: search.fit(X, y)), "best": search.best_score_}


def scores(X, y, folds, name, parameters, n_bits):
    """Return the mean score over folds of both twins, None for one that is not there."""
    if not hasattr(encrypted, name):
        return None
    X, y = np.array(X), np.array(y)
    ours, plain = (
        np.mean([clone(m).fit(X[a], y[a]).score(X[b], y[b]) for a, b in folds])
        for m in twins(name, parameters, n_bits)
    )
    return {"encrypted": ours, "plain": plain}


def table_score(X, y, X_test, y_test, name, parameters, n_bits, scoring):
    """Return the score of a quantized model on test rows."""
    model = twins(name, parameters, n_bits)[0]
    model.fit(np.array(X), np.array(y))
    rows, y_test = np.array(X_test), np.array(y_test)
    if scoring == "r2":
        return r2_score(y_test, model.predict(rows))
    shares = model.predict_proba(rows)
    if scoring == "roc_auc":
        return roc_auc_score(y_test, shares[:, 1])
    return roc_auc_score(y_test, shares / shares.sum(1, keepdims=True), multi_class="ovr")


def main():
    # Answers alone go to the real output: what libraries print goes to the errors.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            content = {"answer": globals()[request.pop("task")](**request)}
        except Exception:
            content = {"error": traceback.format_exc()}
        print(json.dumps(content, default=float), file=answers, flush=True)


if __name__ == "__main__":
    main()
