"""
Encrypted outlier detection
===========================

Is this row like the others? An isolation forest answers without seeing the row.
"""

# %%
# Rows of two clusters, and an ensemble of small random trees.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.inspection import DecisionBoundaryDisplay

from fhe_estimators import IsolationForest

rng = np.random.default_rng(0)
X = np.concatenate([rng.normal(-2, 0.4, (100, 2)), rng.normal(2, 0.4, (100, 2))])
model = IsolationForest(n_estimators=20, random_state=0).fit(X)

# %%
# Six rows are sent encrypted; the answer is 1 for inliers and -1 for outliers.
rows = np.array([[-2, -2], [2, 2], [0, 0], [4, -4], [-4, 4], [2.3, 1.8]])
labels = model.predict(rows, fhe="execute")
assert (labels == model.predict(rows)).all()
print(labels)

# %%
fig, ax = plt.subplots(figsize=(5, 4.2), layout="constrained")
DecisionBoundaryDisplay.from_estimator(
    model, X, response_method="decision_function", ax=ax, alpha=0.5, eps=2.5
)
ax.scatter(*X.T, s=5, color="black")
for label, marker in ((1, "o"), (-1, "X")):
    ax.scatter(*rows[labels == label].T, s=80, marker=marker, label=f"encrypted: {label}")
ax.legend()
plt.show()
