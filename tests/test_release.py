"""What is released: which files, for whom, and how it is installed."""

import configparser
import re

from tests.sources import PACKAGE, ROOT
from tools.release import misplaced

SETTINGS = configparser.ConfigParser()
SETTINGS.read(ROOT / "setup.cfg", encoding="utf-8")
INSTALL = (ROOT / "docs/guide/install.md").read_text(encoding="utf-8")


def data_files():
    """Return the files of the package that are no modules."""
    found = [path for path in PACKAGE.rglob("*") if path.is_file()]
    found = [path for path in found if "__pycache__" not in path.parts]
    return {path.relative_to(PACKAGE).as_posix() for path in found if path.suffix != ".py"}


def test_a_wheel_holds_all_files_of_the_package():
    """Folders without `__init__.py`, and data that are not listed, would be left out."""
    listed = SETTINGS["options.package_data"]["fhe_estimators"].split()
    assert data_files() == {*listed}
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)


def test_misplaced_files_are_found():
    wheel = [
        "a/__init__.py",
        "a/py.typed",
        "a-1.dist-info/RECORD",
        "a-1.dist-info/x/",
    ]
    assert not misplaced(wheel, ["a/__init__.py", "a/py.typed"])
    assert misplaced([*wheel, "tests/test_a.py"], ["a/__init__.py", "a/_b.py"]) == [
        "a/_b.py is missing",
        "a/py.typed should not be there",
        "tests/test_a.py should not be there",
    ]


def test_all_extras_are_documented():
    table = re.findall(r"^\| (`.*?) \| [^|]+ \|$", INSTALL, re.MULTILINE)
    documented = re.findall(r"`(\w+)`", "".join(table))
    assert sorted(documented) == sorted(SETTINGS["options.extras_require"])


def test_documented_versions_of_python_are_those_declared():
    declared = re.findall(r"Python :: (3\.\d+)", SETTINGS["metadata"]["classifiers"])
    first, last = declared[0], int(declared[-1].partition(".")[2])
    assert SETTINGS["options"]["python_requires"] == f">={first},<3.{last + 1}"
    assert f"Python {' or '.join(declared)}" in INSTALL


def test_all_that_tools_need_is_pinned():
    """A clean environment gets what was tested, as far as it is asked for by name."""
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {
        name.lower() for name in re.findall(r"^([\w.-]+)==", constraints, re.MULTILINE)
    }
    lists = [SETTINGS["options"]["install_requires"]]
    lists += SETTINGS["options.extras_require"].values()
    asked = re.findall(r"^([A-Za-z][\w.-]*)", "\n".join(lists), re.MULTILINE)
    assert {name.lower() for name in asked} - {"fhe-estimators"} <= pinned
