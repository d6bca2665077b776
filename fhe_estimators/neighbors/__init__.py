"""Nearest rows and centroids on encrypted data."""

from fhe_estimators.neighbors._k_neighbors_classifier import KNeighborsClassifier
from fhe_estimators.neighbors._k_neighbors_regressor import KNeighborsRegressor
from fhe_estimators.neighbors._nearest_centroid import NearestCentroid

__all__ = ["KNeighborsClassifier", "KNeighborsRegressor", "NearestCentroid"]
