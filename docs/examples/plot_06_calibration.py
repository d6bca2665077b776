"""
Calibration of encrypted probabilities
======================================

Probabilities are computed by the client, from decrypted scores. Are they as well calibrated
as in floating point? The curves say how often the class was found where it was predicted
with a probability.
"""

# %%
import matplotlib.pyplot as plt
from sklearn import linear_model
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

from fhe_estimators import GaussianNB, LogisticRegression

X, y = make_classification(3000, 10, n_redundant=4, random_state=0)
X, X_test, y, y_test = train_test_split(X, y, random_state=0)
models = {
    "scikit-learn": linear_model.LogisticRegression(),
    "8 bits": LogisticRegression(),
    "3 bits": LogisticRegression(n_bits=3),
    "naive Bayes": GaussianNB(),
    "naive Bayes, calibrated": CalibratedClassifierCV(GaussianNB(), cv=3),
}

# %%
# A meta-estimator of scikit-learn calibrates what needs it.
fig, ax = plt.subplots(figsize=(5, 4.5), layout="constrained")
for name, model in models.items():
    model.fit(X, y)
    CalibrationDisplay.from_estimator(model, X_test, y_test, n_bins=8, name=name, ax=ax)
plt.show()
