"""What all tests share: tiers, real data, the names that doctests may use."""

import sys
from pathlib import Path

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

TESTS = Path(__file__).parent
TIERS = ("clear", "simulate", "fhe")


class DoctestNames:
    """Registered as a plugin because a fixture of this file stops at tests/."""

    @pytest.fixture(autouse=True)
    def _doctest_names(self, doctest_namespace):
        doctest_namespace["np"] = np


@pytest.fixture
def own_workers():
    """Give a test worker processes of its own.

    joblib replaces a worker that has grown by 300 MB, as circuits of several tests make it,
    and has been seen to wait for ever for the one that it replaced.
    """
    get_reusable_executor().shutdown(wait=True, kill_workers=True)
    yield
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


@pytest.fixture(autouse=True)
def _threads_of_torch():
    """No test leaves more threads behind: they would wait for each other in all others."""
    before = _n_threads_of_torch()
    yield
    assert before in (None, _n_threads_of_torch())


def _n_threads_of_torch():
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if hasattr(torch, "get_num_threads") else None


def pytest_addoption(parser):
    parser.addoption("--nightly", action="store_true", help="run tests marked nightly, too")
    parser.addoption(
        "--fuzz",
        default="200",
        metavar="SEEDS",
        help="seeds of random fits: 3000 for so many, 17:18 for one of them",
    )


def pytest_configure(config):
    config.pluginmanager.register(DoctestNames())


def _tier(item):
    """Return the most expensive tier that the test is marked with, 0 without any."""
    return max(
        (TIERS.index(m.name) for m in item.iter_markers() if m.name in TIERS), default=0
    )


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--nightly"):
        at_night = [item for item in items if item.get_closest_marker("nightly")]
        config.hook.pytest_deselected(items=at_night)
        items[:] = [item for item in items if item not in set(at_night)]
    for item in items:
        if item.path.is_relative_to(TESTS) and not _tier(item):
            item.add_marker("clear")
    items.sort(key=_tier)  # cheap tests fail first


def _read_only(X, y):
    """Make arrays that many tests share safe from the test that would write to them."""
    X.setflags(write=False)
    y.setflags(write=False)
    return X, y


@pytest.fixture(scope="session")
def breast_cancer():
    """X of shape (569, 30), unscaled; y of two classes."""
    return _read_only(*load_breast_cancer(return_X_y=True))


@pytest.fixture(scope="session")
def wine():
    """X of shape (178, 13), unscaled; y of three classes."""
    return _read_only(*load_wine(return_X_y=True))


@pytest.fixture(scope="session")
def diabetes():
    """X of shape (442, 10), unscaled; y real."""
    return _read_only(*load_diabetes(return_X_y=True, scaled=False))


@pytest.fixture(scope="session")
def fractions(diabetes):
    """Rows and a target in (0, 1), which every objective takes."""
    X, y = diabetes
    return _read_only(X[::3], y[::3] / 400)
