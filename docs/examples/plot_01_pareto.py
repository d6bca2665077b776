"""
Seconds against accuracy
========================

Which model gives most accuracy for its time? `ParetoSearchCV` fits and scores candidates of
several classes, reads what they cost off their circuits, before there is any key, and tells
which of them no other one beats in both: the Pareto front.
"""

# %%
# Candidates of several families, each with a grid, on data that no line divides.
import matplotlib.pyplot as plt
from sklearn.datasets import make_classification

from fhe_estimators import (
    DecisionTreeClassifier,
    GradientBoostingClassifier,
    LogisticRegression,
    RandomForestClassifier,
)
from fhe_estimators.model_selection import ParetoDisplay, ParetoSearchCV

X, y = make_classification(
    1500, 10, n_informative=6, n_clusters_per_class=3, class_sep=0.8, random_state=0
)
candidates = [
    (LogisticRegression(), {"n_bits": [2, 8]}),
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
display = ParetoDisplay.from_cv_results(search.cv_results_)
for place in search.pareto_front_:
    found = search.cv_results_["params"][place].values()
    print(f"{display.seconds[place]:.3f} s", f"{display.score[place]:.3f}", *found)
plt.show()
