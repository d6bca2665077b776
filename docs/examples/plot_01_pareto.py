"""
Seconds against accuracy
========================

Which model gives most accuracy for its time? `ParetoSearchCV` fits and scores candidates of
several classes, reads what they cost off their circuits, before there is any key, and tells
which of them no other one beats in both: the Pareto front.
"""

# %%
# Candidates of several families, each with a grid, on a data set of scikit-learn.
import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from fhe_estimators import (
    DecisionTreeClassifier,
    GradientBoostingClassifier,
    LogisticRegression,
    RandomForestClassifier,
)
from fhe_estimators.model_selection import ParetoSearchCV

X, y = load_breast_cancer(return_X_y=True)
candidates = [
    (LogisticRegression(solver="newton-cholesky"), {"n_bits": [2, 8]}),
    (DecisionTreeClassifier(random_state=0), {"max_depth": [2, 5]}),
    (
        GradientBoostingClassifier(random_state=0),
        {"n_estimators": [20], "max_depth": [1, 2, 3]},
    ),
    (RandomForestClassifier(10, random_state=0), {"max_depth": [3]}),
]
search = ParetoSearchCV(candidates, cv=3).fit(X, y)

# %%
# Models without tables take no time for look-ups: they stand at the left.
results = search.cv_results_
seconds, accuracy = results["mean_test_seconds"], results["mean_test_score"]
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
names = [type(model).__name__ for model in results["param_model"]]
for name in dict.fromkeys(names):
    places = [place for place, found in enumerate(names) if found == name]
    ax.scatter(seconds[places], accuracy[places], label=name)
front = search.pareto_front_
ax.step(seconds[front], accuracy[front], where="post", color="gray", label="Pareto front")
ax.set(xlabel="estimated seconds of a row", ylabel="accuracy, 3 folds")
ax.legend()
plt.show()
