"""What `make mirror` writes: all of it is checked in, and it leaves the rest alone."""

import re

import pytest

import fhe_estimators
from fhe_estimators import LinearRegression, LogisticRegression, Ridge
from tools.mirror.__main__ import differences, main
from tools.mirror.classes import rewritten
from tools.mirror.docstrings import MARK
from tools.mirror.indexes import indexes
from tools.mirror.sources import ROOT, all_mirrors, all_nets
from tools.mirror.texts import Texts

MIRRORS = all_mirrors()
PATHS = sorted({mirror.path for mirror in MIRRORS})

each_file = pytest.mark.parametrize(
    "path", PATHS, ids=lambda path: path.relative_to(ROOT).as_posix()
)

#: The parts of a class file that the tool writes.
WRITTEN = (
    r"\n*^__all__ = \[[^]]*\]$",
    rf"\n*^{re.escape(MARK)}\n    def __init__(.|\n)*?(?=\n\n|\Z)",
    r"^    Fitted by (.|\n)*?\n\n(?=    \w)",
    r"^    Parameters\n    -+\n(.|\n)*?\n\n(?=    (Notes|Examples)\n)",
)


def by_hand(source):
    """Return what a contributor writes of a file."""
    for pattern in WRITTEN:
        source, found = re.subn(pattern, "", source, flags=re.MULTILINE)
        assert found
    return source


def test_nothing_is_left_to_write(capsys):
    assert main(["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", ["Ridge", "LinearSVC", "XGBRegressor"])
def test_a_list_without_an_estimator_differs(name):
    """So would one that a new estimator is missing in."""
    others = [mirror for mirror in MIRRORS if mirror.name != name]
    found = differences(indexes(others))
    assert re.search(rf"^-.*`{name}`", found, re.MULTILINE), "README"
    assert re.search(rf"^-.* import {name} as {name}$", found, re.MULTILINE)
    assert re.search(rf'^-    "{name}": "\w+",$', found, re.MULTILINE)
    assert not differences(indexes(MIRRORS))


@each_file
def test_the_rest_is_enough(path):
    """From what is written by hand follows the whole file."""
    source = path.read_text(encoding="utf-8")
    here = [mirror for mirror in MIRRORS if mirror.path == path]
    classes = {m.name: (getattr(fhe_estimators, m.name), m.parent) for m in here}
    short = by_hand(source)
    assert "__init__" not in short
    assert "The mirrored class." not in short
    assert rewritten(short, classes, Texts.read()).split() == source.split()
    assert rewritten(source, classes, Texts.read()) == source


@pytest.mark.parametrize(
    "path", sorted({net.path for net in all_nets()}), ids=lambda p: p.stem
)
def test_networks_keep_their_constructors(path):
    """Their parents are ours: only the sections are written."""
    source = path.read_text(encoding="utf-8")
    names = [net.name for net in all_nets() if net.path == path]
    classes = {name: (getattr(fhe_estimators, name), "") for name in names}
    sections = r"^    Parameters\n    -+\n    (n_layers|net|estimator) (.|\n)*?"
    sections += r"(?=^    (See Also|Examples)\n)"
    short, found = re.subn(sections, "", source, flags=re.MULTILINE)
    assert found == len(names)
    assert rewritten(short, classes, Texts.read()).split() == source.split()
    assert rewritten(source, classes, Texts.read()) == source


def test_methods_and_comments_stay():
    source = '''"""Module."""

from sklearn import linear_model  # why


class Ridge(Mixin, linear_model.Ridge):
    """Summary.

    Own words.

    Notes
    -----
    A note.
    """

    _attribute = 1  # why

    def method(self):
        # why
        return {1: "a"}
'''
    text = rewritten(source, {"Ridge": (Ridge, "sklearn.linear_model.Ridge")}, Texts.read())
    lines = [line for line in source.splitlines() if line]
    kept = iter(text.splitlines())
    assert all(line in kept for line in lines), "in this order"
    assert text.index("Own words.") < text.index("    Fitted by scikit-learn, in clear.")
    assert text.index("The mirrored class.") < text.index("    Notes\n")
    assert text.index("_attribute = 1") < text.index("def __init__(") < text.index("method")


def test_missing_text():
    """The message says what to add."""
    texts = Texts("Parameters\n----------\nalpha : float\n\nalpha of Lasso\n    Text.\n")
    with pytest.raises(LookupError, match=r"no description of 'alpha'.*for Ridge"):
        texts.of("Parameters", "alpha", Ridge)
    texts = Texts("Parameters\n----------\nalpha of Ridge\n    Text.\n")
    with pytest.raises(LookupError, match=r"no type of 'alpha'.*'alpha of Ridge : type'"):
        texts.of("Parameters", "alpha", Ridge)


def test_closest_text():
    texts = Texts(
        "Parameters\n----------\n"
        "tol : float\n    For all.\n"
        "tol of RegressorMixin, Nothing\n    For regressors.\n"
        "tol of Ridge : int\n"
        "max_iter : int\n    For all.\n"
    )
    ridge, least, logistic = (
        texts.of("Parameters", "tol", cls)
        for cls in (Ridge, LinearRegression, LogisticRegression)
    )
    assert (ridge.type, ridge.lines) == ("int", ("For regressors.",))
    assert (least.type, least.lines) == ("float", ("For regressors.",))
    assert (logistic.type, logistic.lines) == ("float", ("For all.",))
    assert texts.unused() == ["max_iter"]


def test_header_that_is_none():
    with pytest.raises(ValueError, match="'alpha: float'"):
        Texts("Parameters\n----------\nalpha: float\n    Text.\n")


def test_a_sentence_is_required():
    source = "class Ridge(Mixin, linear_model.Ridge):\n    pass\n"
    with pytest.raises(ValueError, match="Ridge has no docstring"):
        rewritten(source, {"Ridge": (Ridge, "sklearn.linear_model.Ridge")}, Texts.read())
