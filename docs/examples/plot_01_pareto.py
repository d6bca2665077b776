"""
Seconds against accuracy
========================

Which model gives most accuracy for its time? Every candidate is fitted, its cost is read
off the compiled circuit, before there is any key, and those that no other one beats in both
are joined: the Pareto front.
"""

# %%
# Candidates of several families, on a data set of scikit-learn.
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import cross_val_score

from fhe_estimators import (
    DecisionTreeClassifier,
    GradientBoostingClassifier,
    LogisticRegression,
    RandomForestClassifier,
)
from fhe_estimators.inspection import cost

X, y = load_breast_cancer(return_X_y=True)
candidates = {
    "linear, 2 bits": LogisticRegression(solver="newton-cholesky", n_bits=2),
    "linear, 8 bits": LogisticRegression(solver="newton-cholesky"),
    "stumps": GradientBoostingClassifier(max_depth=1, random_state=0),
    "tree, depth 3": DecisionTreeClassifier(max_depth=3, random_state=0),
    "tree, depth 5": DecisionTreeClassifier(max_depth=5, random_state=0),
    "boosting 10x2": GradientBoostingClassifier(
        n_estimators=10, max_depth=2, random_state=0
    ),
    "boosting 20x3": GradientBoostingClassifier(n_estimators=20, random_state=0),
    "forest 10x3": RandomForestClassifier(10, max_depth=3, random_state=0),
}
found = {}
for name, model in candidates.items():
    accuracy = cross_val_score(model, X, y, cv=3).mean()
    report = cost(model.fit(X, y))
    found[name] = report.complexity, accuracy, sum(report.tables.values())
    print(f"{name:15s} {accuracy:.3f} {found[name][2]:4d} tables {report.seconds:6.2f} s")

# %%
# Models without tables take no time for look-ups: they stand at the left. The axis is the
# estimated work of table look-ups, which is the same on every machine; `seconds` of the
# report is what it takes on this one.
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
front, best = [], 0.0
for name, (work, accuracy, _) in sorted(found.items(), key=lambda item: item[1][0]):
    ax.scatter(work, accuracy, color="tab:blue")
    ax.annotate(name, (work, accuracy), xytext=(4, 5), textcoords="offset points", size=8)
    if accuracy > best:
        best = accuracy
        front.append((work, accuracy))
ax.step(*zip(*front, strict=True), where="post", color="tab:orange", label="Pareto front")
ax.set(xscale="log", xlabel="complexity of a row (operations)", ylabel="accuracy, 3 folds")
ax.legend()
plt.show()
