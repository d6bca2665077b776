"""Fitted models of any class as estimators that predict on encrypted data."""

from fhe_estimators.conversion._convert import convert
from fhe_estimators.conversion._converted import (
    ConvertedClassifier,
    ConvertedOutlierDetector,
    ConvertedRegressor,
)

__all__ = [
    "ConvertedClassifier",
    "ConvertedOutlierDetector",
    "ConvertedRegressor",
    "convert",
]
