"""Rewrites of float graphs: each takes a graph and returns one of the same meaning."""

from fhe_estimators.rewrite._clean import clean
from fhe_estimators.rewrite._cut import cut

__all__ = ["clean", "cut"]
