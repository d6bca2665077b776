"""Linear and generalized linear models that predict on encrypted data."""

from fhe_estimators.linear_model._elastic_net import ElasticNet
from fhe_estimators.linear_model._gamma_regressor import GammaRegressor
from fhe_estimators.linear_model._lasso import Lasso
from fhe_estimators.linear_model._linear_regression import LinearRegression
from fhe_estimators.linear_model._logistic_regression import LogisticRegression
from fhe_estimators.linear_model._poisson_regressor import PoissonRegressor
from fhe_estimators.linear_model._ridge import Ridge
from fhe_estimators.linear_model._ridge_classifier import RidgeClassifier
from fhe_estimators.linear_model._sgd_classifier import SGDClassifier
from fhe_estimators.linear_model._sgd_regressor import SGDRegressor
from fhe_estimators.linear_model._tweedie_regressor import TweedieRegressor

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
