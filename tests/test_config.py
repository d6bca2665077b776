"""While a parent is fitted, raw scores are its own; what a callback asks for is not."""

import numpy as np
import pytest

from fhe_estimators import GradientBoostingRegressor, Ridge, config_context
from fhe_estimators._config import current_mode, fitting, is_fitting, local_mode


def test_fitting_ends_also_if_the_fit_fails():
    def fit():
        with fitting():
            assert is_fitting()
            assert current_mode() == "disable"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fit()
    assert not is_fitting()


@pytest.mark.parametrize("enter", [local_mode, lambda mode: config_context(fhe=mode)])
def test_a_mode_that_is_entered_in_a_fit_is_in_force(enter):
    with fitting():
        with enter("simulate"):
            assert current_mode() == "simulate"
            assert not is_fitting()
        assert is_fitting()


@pytest.mark.simulate
def test_a_callback_gets_what_it_asks_for(diabetes):
    """Not the floats of a model in clear, where encrypted rows were asked for."""
    X, y = diabetes
    other = Ridge(n_bits=2).fit(X, y)
    seen = []

    def monitor(*_):
        seen.append(other.predict(X[:5], fhe="simulate"))

    GradientBoostingRegressor(n_estimators=2).fit(X, y, monitor=monitor)
    assert len(seen) == 2
    assert other.quantized_module_.is_compiled
    for found in seen:
        np.testing.assert_array_equal(found, other.predict(X[:5]))
