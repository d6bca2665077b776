"""Warnings of interpret that are not about what is tested."""

from pathlib import Path

import pytest

#: It cannot draw missing values, nor pairs of several classes.
WARNINGS = (
    "Missing values detected:UserWarning",
    "For multiclass we cannot currently:UserWarning",
)


def pytest_collection_modifyitems(items):
    # It is called with the tests of all folders.
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            for warning in WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{warning}"))
