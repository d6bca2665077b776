"""
Bits against accuracy
=====================

`n_bits` is a parameter like any other. The integers of clear prediction are those of
encrypted prediction, so a curve over bits needs no cryptography.
"""

# %%
# A linear model and boosted trees, on rows that are not scaled.
import matplotlib.pyplot as plt
from sklearn import ensemble, linear_model
from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score, validation_curve

from fhe_estimators import GradientBoostingClassifier, LogisticRegression

X, y = load_wine(return_X_y=True)
pairs = {
    "LogisticRegression": (
        LogisticRegression(solver="newton-cholesky"),
        linear_model.LogisticRegression(solver="newton-cholesky"),
    ),
    "GradientBoostingClassifier": (
        GradientBoostingClassifier(n_estimators=10, max_depth=2, random_state=0),
        ensemble.GradientBoostingClassifier(n_estimators=10, max_depth=2, random_state=0),
    ),
}

# %%
# The dotted lines are scikit-learn's, in floating point.
n_bits = range(1, 9)
fig, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
for ax, (name, (ours, theirs)) in zip(axes, pairs.items(), strict=True):
    _, scores = validation_curve(ours, X, y, param_name="n_bits", param_range=n_bits, cv=5)
    ax.axhline(cross_val_score(theirs, X, y).mean(), color="gray", ls=":")
    ax.plot(n_bits, scores.mean(axis=1), marker="o")
    ax.set(title=name, xlabel="n_bits", xticks=n_bits)
    print(name, scores.mean(axis=1).round(3))
axes[0].set_ylabel("accuracy, 5 folds")
plt.show()
