"""
Where the seconds go
====================

One encrypted row, step by step: compiling and keys, once; encryption, computation and
decryption, for each row.
"""

# %%
# A linear model, which needs no table, and a small tree.
import time

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from fhe_estimators import DecisionTreeClassifier, LogisticRegression

X, y = load_breast_cancer(return_X_y=True)
models = {
    "linear": LogisticRegression(solver="newton-cholesky").fit(X, y),
    "tree": DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y),
}


def timed(function, *arguments):
    """Return what a function returns, and the seconds that it took."""
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


# %%
# Client and server, as calls of the circuit.
seconds = {}
for name, model in models.items():
    circuit, compiling = timed(model.compile)
    _, keys = timed(circuit.keygen)
    q_row = model.quantize_input(X[:1])
    ciphertexts, encryption = timed(circuit.encrypt, q_row)
    results, computation = timed(circuit.run, ciphertexts)
    _, decryption = timed(circuit.decrypt, results)
    seconds[name] = {
        "compile, once": compiling,
        "keys, once": keys,
        "encrypt": encryption,
        "compute": computation,
        "decrypt": decryption,
    }
    print(name, {step: round(value, 4) for step, value in seconds[name].items()})

# %%
# The axis is logarithmic: of a linear row hardly anything is left.
fig, axes = plt.subplots(1, 2, figsize=(8, 2.6), sharex=True, layout="constrained")
for ax, (name, steps) in zip(axes, seconds.items(), strict=True):
    ax.barh(list(steps), list(steps.values()))
    ax.invert_yaxis()
    ax.set(title=name, xscale="log", xlabel="seconds")
plt.show()
