"""Warnings that name the line of the user, not one of the package."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn"]

#: Packages whose lines are not those of a user: ours, and what calls us for a user.
_BETWEEN = {"contextlib", "fhe_estimators", "joblib", "sklearn", "skorch"}


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user who has called the package, or a pipeline that does.

    Parameters
    ----------
    message : str
    category : type of Warning
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] not in _BETWEEN:
            break
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
