"""
Additive terms of boosted stumps
================================

Trees of depth 1 are functions of one feature each, and what is boosted from them is a sum
of curves. Such functions are linear in the encrypted bits of the features: no table, some
milliseconds a row, however many stumps there are.
"""

# %%
# One curve for each feature: the score as one feature varies and the others stay.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from fhe_estimators import GradientBoostingRegressor
from fhe_estimators.inspection import cost

X, y = load_diabetes(return_X_y=True, scaled=False, as_frame=True)
model = GradientBoostingRegressor(max_depth=1, n_bits=5, random_state=0).fit(X, y)
print(cost(model))
assert not cost(model).tables

# %%
# The four features that matter most.
strongest = np.argsort(-model.feature_importances_)[:4]
fig, axes = plt.subplots(1, 4, figsize=(9, 2.6), sharey=True, layout="constrained")
for ax, place in zip(axes, strongest, strict=True):
    name = X.columns[place]
    grid = X.iloc[np.zeros(200, int)].copy()
    grid[name] = np.linspace(X[name].min(), X[name].max(), 200)
    term = model.predict(grid)
    ax.step(grid[name], term - term.mean())
    ax.plot(X[name], np.full(len(X), -45), "|", color="gray", ms=4)
    ax.set(xlabel=name)
axes[0].set_ylabel("part of the prediction")
plt.show()

# %%
# Encrypted, the same predictions.
encrypted = model.predict(X[:3], fhe="execute")
assert (encrypted == model.predict(X[:3])).all()
