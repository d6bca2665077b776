"""
A grid search by cost
=====================

The best model that a budget allows. With `with_cost` a search of scikit-learn has what an
encrypted row costs beside the score, and `best_within` chooses by both. No keys are made.
"""

# %%
# Nine candidates, and twelve table look-ups at most.
import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV

from fhe_estimators import GradientBoostingClassifier
from fhe_estimators.inspection import cost
from fhe_estimators.model_selection import best_within, with_cost

BUDGET = 12

X, y = load_breast_cancer(return_X_y=True)
search = GridSearchCV(
    GradientBoostingClassifier(random_state=0),
    {"n_estimators": [5, 10, 20], "max_depth": [1, 2, 3]},
    scoring=with_cost("accuracy"),
    refit=best_within(tables=BUDGET),
    cv=3,
).fit(X, y)
print(search.best_params_, cost(search), sep="\n")

# %%
# The chosen one has a ring; what is right of the line is too dear.
results = search.cv_results_
tables, accuracy = results["mean_test_tables"], results["mean_test_score"]
fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
depths = results["param_max_depth"].astype(int)
points = ax.scatter(tables, accuracy, c=depths, cmap="viridis")
chosen = tables[search.best_index_], accuracy[search.best_index_]
ax.scatter(*chosen, s=120, fc="none", ec="red")
ax.axvline(BUDGET, color="gray", ls=":")
ax.set(xlabel="tables a row, mean of 3 folds", ylabel="accuracy")
fig.colorbar(points, label="max_depth", ticks=[1, 2, 3])
plt.show()
