"""
Client and server
=================

A fitted model as two files. The client encrypts, the server computes on what it cannot
read, the client decrypts. What goes over the line between them is bytes.
"""

# %%
# Somebody who has data fits a model and writes the two files.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from fhe_estimators import DecisionTreeClassifier, LogisticRegression
from fhe_estimators.deployment import Client, Server, save_deployment

X, y = load_breast_cancer(return_X_y=True)
models = {
    "linear": LogisticRegression(solver="newton-cholesky").fit(X, y),
    "tree": DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y),
}
sizes = {}
for name, model in models.items():
    with tempfile.TemporaryDirectory() as folder:
        save_deployment(model, folder, name=name)
        client = Client(Path(folder) / "client.zip")  # with keys of its own
        server = Server(Path(folder) / "server.zip")  # without any
    request = client.encrypt(X[:3])
    answer = server.run(request, client.evaluation_keys)
    labels = client.decrypt_predict(answer)
    assert (labels == model.predict(X[:3])).all()
    sizes[name] = {
        "request, a row": len(request) / 3,
        "answer, a row": len(answer) / 3,
        "server keys, once": len(client.evaluation_keys),
    }
    print(name, {what: round(size) for what, size in sizes[name].items()})

# %%
# A model without tables needs no keys on the server.
fig, axes = plt.subplots(1, 2, figsize=(8, 2.2), sharex=True, layout="constrained")
for ax, (name, parts) in zip(axes, sizes.items(), strict=True):
    ax.barh(list(parts), list(parts.values()))
    ax.invert_yaxis()
    ax.set(title=name, xscale="log", xlim=(100, None), xlabel="bytes")
plt.show()
