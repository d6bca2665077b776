"""What models cost on any machine: as recorded, and grown only where CHANGES.md says so."""

import pytest

from tests.sources import ROOT
from tools.figures.__main__ import main
from tools.figures.models import MODELS, figures_of, figures_of_import
from tools.figures.records import (
    PAGE,
    Record,
    changed,
    latest,
    page,
    records,
    shown,
    unexplained,
)

RECORDS = records()
CHANGES = (ROOT / "CHANGES.md").read_text(encoding="utf-8")


def history(*values, name="tree.tables"):
    """Return records in which one figure takes a value after the other."""
    return [Record(str(n), "abc", {name: value}) for n, value in enumerate(values)]


@pytest.mark.simulate
@pytest.mark.parametrize("name", MODELS)
def test_model_costs_what_is_recorded(name):
    assert not changed(RECORDS, figures_of(name)), "run `make figures`"


def test_imports_load_what_is_recorded():
    assert not changed(RECORDS, figures_of_import()), "run `make figures`"


def test_changes_tell_of_all_growth():
    assert not unexplained(RECORDS, CHANGES)


def test_page_is_that_of_the_records():
    assert PAGE.read_text(encoding="utf-8") == page(RECORDS), "run `make figures`"


def test_records_are_of_models_that_are_there():
    found = {name.partition(".")[0] for name in latest(RECORDS)}
    assert found == {*MODELS, "import"}


@pytest.mark.parametrize(
    ("values", "n_grown"),
    [
        ((100, 102), 0),
        ((100, 103), 1),
        ((100, 101, 102, 103), 1),  # small steps are a large one
        ((100, 50, 100), 1),  # what was gained is not given away
        ((103, 100), 0),
        ((0, 1), 1),
    ],
)
def test_growth_is_found(values, n_grown):
    assert len(unexplained(history(*values), "# Changes")) == n_grown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- Trees take more: `tree.tables` is 1,150.", True),
        ("- Trees take more:\n  `tree.tables`\n  is 1,150 now.\n- Other.", True),
        ("- Trees take more: `tree.tables` is 1,151.", False),
        ("- Trees take more: `tree.tables` is 11,150.", False),
        ("- Trees take more: `tree.tables` is 1,150.5.", False),
        ("- Trees take more.", False),
        ("- `tree.tables` is another.\n- Keys take 1,150 bytes.", False),
        ("- `forest.tables` is 1,150.", False),
    ],
)
def test_changes_have_name_and_value(text, told):
    assert unexplained(history(1000, 1150), text) == (
        [] if told else ["`tree.tables` grew from 1,000 to 1,150"]
    )


def test_growth_that_was_told_is_where_the_next_begins():
    text = "- `tree.tables` is 115."
    assert not unexplained(history(100, 115, 117), text)
    assert unexplained(history(100, 115, 118), text)


def test_records_of_two_branches_are_one_history():
    first, tables = history(100, 90)
    keys = Record("2", "abc", {"tree.key_bytes": 7})
    assert latest([first, tables, keys]) == {"tree.tables": 90, "tree.key_bytes": 7}
    assert not unexplained([first, tables, keys], "")


@pytest.mark.parametrize(("measured", "n_off"), [(100, 0), (98, 0), (97, 1), (103, 1)])
def test_a_figure_off_its_record_is_found(measured, n_off):
    assert len(changed(history(100), {"tree.tables": measured})) == n_off


def test_a_figure_without_a_record_is_found():
    assert changed([], {"tree.tables": 3}) == ["tree.tables is 3, not recorded"]


def test_page_lists_changes():
    rows = page(history(100, 90, 99)).splitlines()[-2:]
    assert rows == [
        "| 2 | abc | tree.tables | 90 | 99 | +10.0% |",
        "| 1 | abc | tree.tables | 100 | 90 | -10.0% |",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(1431000000.0, "1,431,000,000"), (1.147, "1.147"), (0, "0")]
)
def test_figures_are_shown_in_full(value, text):
    assert shown(value) == text


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Make the command measure one figure, and record it elsewhere; return the figure."""
    figures, place = {"tree.tables": 10}, "tools.figures.__main__"
    monkeypatch.setattr(f"{place}._measured", lambda: dict(figures))
    monkeypatch.setattr(f"{place}.FOLDER", tmp_path)
    monkeypatch.setattr(f"{place}.PAGE", tmp_path / "figures.md")
    monkeypatch.setattr(f"{place}.ROOT", tmp_path)
    monkeypatch.setattr(f"{place}.records", lambda: records(tmp_path))
    monkeypatch.setattr(f"{place}._commit", lambda: "abc")
    (tmp_path / "CHANGES.md").write_text("# Changes", encoding="utf-8")
    (tmp_path / "figures.md").touch()
    return figures


def test_command_records_and_checks(measured, tmp_path, capsys):
    assert main(["--check"]) == 1
    assert main([]) == main(["--check"]) == 0
    assert len(records(tmp_path)) == 1
    assert main([]) == 0
    assert len(records(tmp_path)) == 1  # nothing has changed
    measured["tree.tables"] = 12
    assert main(["--check"]) == 1
    assert "tree.tables is 12, not 10" in capsys.readouterr().err
