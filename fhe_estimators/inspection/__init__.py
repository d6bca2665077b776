"""What a model costs, and how far it agrees with the one in floating point."""

from fhe_estimators.inspection._agreement import Agreement, Comparison, agreement
from fhe_estimators.inspection._card import ModelCard, model_card
from fhe_estimators.inspection._cost import cost
from fhe_estimators.inspection._displays import (
    AgreementDisplay,
    BitWidthDisplay,
    CostDisplay,
)
from fhe_estimators.inspection._prices import calibrate_prices

__all__ = [
    "Agreement",
    "AgreementDisplay",
    "BitWidthDisplay",
    "Comparison",
    "CostDisplay",
    "ModelCard",
    "agreement",
    "calibrate_prices",
    "cost",
    "model_card",
]
