"""
A grid search by cost
=====================

The best model that a budget allows. A search takes several scores; the number of tables is
one of them, known from a compiled circuit without any key.
"""

# %%
# A scorer is any function of a fitted model.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV

from fhe_estimators import GradientBoostingClassifier
from fhe_estimators.inspection import cost

BUDGET = 12  # tables a row


def minus_tables(model, X, y):
    """Return minus the number of tables: greater is better."""
    return -sum(cost(model).tables.values())


def cheapest_within(results):
    """Return the place of the most accurate candidate within the budget."""
    affordable = results["mean_test_minus_tables"] >= -BUDGET
    return int(np.where(affordable, results["mean_test_accuracy"], -np.inf).argmax())


# %%
# `refit` chooses by both.
X, y = load_breast_cancer(return_X_y=True)
search = GridSearchCV(
    GradientBoostingClassifier(random_state=0),
    {"n_estimators": [5, 10, 20], "max_depth": [1, 2, 3]},
    scoring={"accuracy": "accuracy", "minus_tables": minus_tables},
    refit=cheapest_within,
    cv=3,
).fit(X, y)
print(search.best_params_, cost(search.best_estimator_), sep="\n")

# %%
results = search.cv_results_
tables, accuracy = -results["mean_test_minus_tables"], results["mean_test_accuracy"]
fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
points = ax.scatter(
    tables, accuracy, c=results["param_max_depth"].astype(int), cmap="viridis"
)
ax.scatter(
    tables[search.best_index_], accuracy[search.best_index_], s=120, fc="none", ec="red"
)
ax.axvline(BUDGET, color="gray", ls=":")
ax.set(xlabel="tables a row, mean of 3 folds", ylabel="accuracy")
fig.colorbar(points, label="max_depth", ticks=[1, 2, 3])
plt.show()
