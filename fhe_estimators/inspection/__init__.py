"""What a model costs and how far it agrees with the one in floating point."""

from fhe_estimators.inspection._cost import cost

__all__ = ["cost"]
