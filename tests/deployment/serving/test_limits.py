"""Limits of a server."""

import pytest

from fhe_estimators.deployment.serving import Limits


@pytest.mark.parametrize(
    "wrong", [{"rows": 0}, {"queue": -1}, {"request_seconds": "1"}, {"workers": True}]
)
def test_limits_are_positive_numbers(wrong):
    with pytest.raises(ValueError, match=f"limit '{next(iter(wrong))}'"):
        Limits(**wrong)
