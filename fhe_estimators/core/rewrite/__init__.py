"""Rewrites of float graphs: each keeps the meaning, in one graph or in parts."""

from fhe_estimators.core.rewrite._bodies import write_out
from fhe_estimators.core.rewrite._clean import clean, tidy
from fhe_estimators.core.rewrite._cut import cut
from fhe_estimators.core.rewrite._prologue import split_prologue

__all__ = ["clean", "cut", "split_prologue", "tidy", "write_out"]
