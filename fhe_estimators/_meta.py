"""Meta-estimators that are told how to compute, and do not tell all of their estimators."""

from __future__ import annotations

import inspect
import sys
from types import FrameType
from typing import Any

__all__ = ["refuse_other_mode_than_asked"]


def refuse_other_mode_than_asked(model: Any, mode: str) -> None:
    """Raise if an estimator that is asked for ``fhe=`` asks a model without it.

    scikit-learn's stacking passes the parameter on to its final estimator only, and the
    others would see the rows in clear; the score of a pipeline drops it unless metadata
    routing is enabled. A model can only tell from who called it.

    Parameters
    ----------
    model : estimator
        The one that predicts.
    mode : str
        How it is about to compute.

    Raises
    ------
    ValueError
        If that is not how a calling estimator was asked to.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("sklearn."):
            asked = _more_parameters(frame).get("fhe")
            if asked is not None and asked != mode:
                caller = type(frame.f_locals.get("self")).__name__
                raise ValueError(
                    f"The parameter fhe={asked!r} of {caller}.{frame.f_code.co_name} does "
                    f"not reach its {type(model).__name__}, which would compute with "
                    f"fhe={mode!r}. Use the context 'with fhe_estimators.config_context("
                    f"fhe={asked!r}):' and leave the parameter out."
                )
        frame = frame.f_back


def _more_parameters(frame: FrameType) -> dict[str, Any]:
    """Return the ``**kwargs`` of the function that a frame executes."""
    code = frame.f_code
    if not code.co_flags & inspect.CO_VARKEYWORDS:
        return {}
    place = code.co_argcount + code.co_kwonlyargcount
    place += bool(code.co_flags & inspect.CO_VARARGS)
    found = frame.f_locals.get(code.co_varnames[place])
    return found if isinstance(found, dict) else {}
