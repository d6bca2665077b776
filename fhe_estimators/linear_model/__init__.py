"""Linear and generalized linear models that predict on encrypted data."""

from fhe_estimators.linear_model._classifiers import LogisticRegression, RidgeClassifier
from fhe_estimators.linear_model._generalized import (
    GammaRegressor,
    PoissonRegressor,
    TweedieRegressor,
)
from fhe_estimators.linear_model._least_squares import (
    ElasticNet,
    Lasso,
    LinearRegression,
    Ridge,
)
from fhe_estimators.linear_model._stochastic_gradient import SGDClassifier, SGDRegressor

__all__ = [
    "ElasticNet",
    "GammaRegressor",
    "Lasso",
    "LinearRegression",
    "LogisticRegression",
    "PoissonRegressor",
    "Ridge",
    "RidgeClassifier",
    "SGDClassifier",
    "SGDRegressor",
    "TweedieRegressor",
]
