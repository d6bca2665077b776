"""
Three modes, one result
=======================

``"disable"`` computes integers in clear, ``"simulate"`` runs the circuit without keys,
``"execute"`` encrypts. Scores differ from floating point by rounding, and not from each
other.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn import linear_model
from sklearn.datasets import load_diabetes

from fhe_estimators import Ridge

X, y = load_diabetes(return_X_y=True, scaled=False)
parent = linear_model.Ridge().fit(X, y)
few = slice(0, 40)

# %%
# The errors of rounding, at three widths; the crosses of encrypted rows lie on the dots.
fig, axes = plt.subplots(1, 3, figsize=(9, 2.8), layout="constrained")
for ax, n_bits in zip(axes, (4, 6, 8), strict=True):
    model = Ridge(n_bits=n_bits).fit(X, y)
    by_mode = {mode: model.predict(X[few], fhe=mode) for mode in ("disable", "execute")}
    assert np.array_equal(by_mode["disable"], by_mode["execute"])
    assert np.array_equal(by_mode["disable"], model.predict(X[few], fhe="simulate"))
    exact = parent.predict(X[few])
    ax.scatter(exact, by_mode["disable"] - exact, s=18, label="integers in clear")
    ax.scatter(exact, by_mode["execute"] - exact, s=30, marker="x", label="encrypted")
    ax.axhline(0, color="gray", lw=0.5)
    ax.set(title=f"{n_bits} bits", xlabel="score of scikit-learn")
axes[0].set_ylabel("difference")
axes[0].legend(fontsize=7)
plt.show()
