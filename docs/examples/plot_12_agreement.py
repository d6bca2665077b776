"""
How far a model agrees with its parent
======================================

How many rows get the label that scikit-learn's own model gives them, and how many encrypted
rows that of the integers in clear? With an interval, because rows are a sample.
"""

# %%
# Few bits, so that there is something to see.
import matplotlib.pyplot as plt
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from fhe_estimators import LogisticRegression
from fhe_estimators.inspection import AgreementDisplay

X, y = load_breast_cancer(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, random_state=0)
fig, axes = plt.subplots(2, 1, figsize=(6, 4), sharex=True, layout="constrained")
for ax, n_bits in zip(axes, (2, 8), strict=True):
    model = LogisticRegression(solver="newton-cholesky", n_bits=n_bits).fit(X, y)
    parent = linear_model.LogisticRegression(solver="newton-cholesky").fit(X, y)
    display = AgreementDisplay.from_estimator(
        model, X_test, y_test, reference=parent, n_encrypted=20, ax=ax
    )
    ax.set_title(f"{n_bits} bits")
    print(display.comparisons)
plt.show()
