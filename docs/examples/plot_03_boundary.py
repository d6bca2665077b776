"""
The boundary of a clear and of a quantized classifier
=====================================================

What encryption needs is integers. With few bits the boundary between classes has steps;
with more, it is that of floating point. A few rows are predicted encrypted, to the same
labels.
"""

# %%
# Two features, and scikit-learn's own display.
import matplotlib.pyplot as plt
import numpy as np
from sklearn import ensemble, linear_model
from sklearn.datasets import make_moons
from sklearn.inspection import DecisionBoundaryDisplay

from fhe_estimators import GradientBoostingClassifier, LogisticRegression

X, y = make_moons(200, noise=0.2, random_state=0)
few = np.arange(0, 200, 40)
parents = {
    "linear": linear_model.LogisticRegression(),
    "boosting": ensemble.GradientBoostingClassifier(n_estimators=10, random_state=0),
}
models = {
    "linear": [LogisticRegression(n_bits=bits) for bits in (2, 8)],
    "boosting": [
        GradientBoostingClassifier(n_estimators=10, random_state=0, n_bits=bits)
        for bits in (2, 4)
    ],
}

# %%
# Left floating point, then few bits, then more. Crosses are the rows that were encrypted.
fig, axes = plt.subplots(2, 3, figsize=(8, 5), layout="constrained")
for row, (name, parent) in zip(axes, parents.items(), strict=True):
    for ax, model in zip(row, [parent, *models[name]], strict=True):
        model.fit(X, y)
        response = {"response_method": "predict", "alpha": 0.4, "grid_resolution": 200}
        DecisionBoundaryDisplay.from_estimator(model, X, ax=ax, cmap="coolwarm", **response)
        ax.scatter(*X.T, c=y, s=6, cmap="coolwarm")
        bits = getattr(model, "n_bits", None)
        ax.set(title=f"{name}, {f'{bits} bits' if bits else 'floating point'}")
        ax.set(xticks=[], yticks=[])
    encrypted = model.predict(X[few], fhe="execute")
    assert (encrypted == model.predict(X[few])).all()
    row[-1].scatter(*X[few].T, marker="x", color="black")
plt.show()
