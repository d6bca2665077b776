"""The tree ensembles that benchmarks compare, and the data that they are fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.model_selection import train_test_split

import fhe_estimators
from benchmarks import data
from benchmarks.costs import P_ERROR
from benchmarks.tools import chosen

#: Bits that the peer is measured with; ours are measured with their default.
PEER_BITS = (6, 4)


@dataclass(frozen=True)
class Case:
    """A model on a data set.

    Parameters
    ----------
    data : str
        A function of `benchmarks.data`.
    model : str
        "tree", or "forest" or "boosting" with the number of trees times their depth.
    """

    data: str
    model: str

    def __str__(self) -> str:
        return f"{self.data} {self.model}"

    @property
    def regression(self) -> bool:
        return self.data == "diabetes"

    @property
    def multiclass(self) -> bool:
        return self.data == "digits"

    @property
    def name(self) -> str:
        """The class of scikit-learn, and ours."""
        return self._class("GradientBoosting")

    @property
    def peer_name(self) -> str:
        """The class of the peer, which has no gradient boosting but XGBoost's."""
        return self._class("XGB")

    def _class(self, boosting: str) -> str:
        family = self.model.split()[0]
        families = {"tree": "DecisionTree", "forest": "RandomForest", "boosting": boosting}
        return families[family] + ("Regressor" if self.regression else "Classifier")

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that have the same names and meanings on both sides."""
        if self.model == "tree":
            return {"max_depth": 5, "random_state": 0}
        family, size = self.model.split()
        n_trees, depth = map(int, size.split("x"))
        rate = {"learning_rate": 0.1} if family == "boosting" else {}
        return {"n_estimators": n_trees, "max_depth": depth, "random_state": 0, **rate}

    @property
    def peer_parameters(self) -> dict[str, Any]:
        # On data this small the threads of XGBoost mostly wait for one another.
        threads = {"n_jobs": 1} if self.peer_name.startswith("XGB") else {}
        return {**self.parameters, **threads}

    def ours(self) -> Any:
        estimator = getattr(fhe_estimators, self.name)
        return estimator(p_error=P_ERROR, **self.parameters)

    def load(self) -> data.Data:
        """Return features and target."""
        loaded: data.Data = getattr(data, self.data)()
        return loaded


def cases() -> list[Case]:
    """Return the cases that are chosen: all by default."""
    forests = ("forest 10x4", "forest 50x4")
    boosting = ("boosting 10x3", "boosting 50x3", "boosting 100x2")
    models = {
        **dict.fromkeys(("breast_cancer", "spam", "credit"), ("tree", *forests, *boosting)),
        # Ten trees an iteration of boosting: larger ones would take the peer too long.
        "digits": ("tree", "forest 10x4", "boosting 10x3"),
        "diabetes": ("tree", "forest 10x4", "boosting 50x3"),
    }
    all_cases = [Case(name, model) for name, entries in models.items() for model in entries]
    return chosen(all_cases)


def training_rows(case: Case) -> data.Data:
    X, y = case.load()
    X, _, y, _ = train_test_split(X, y, train_size=0.6, random_state=0)
    return X, y
