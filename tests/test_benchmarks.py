"""Results of benchmarks that are kept, and the page that is written of them."""

import json
import re

import pytest

from benchmarks import MODULE_OF
from benchmarks.imports import divided
from benchmarks.page import PAGE, main, page, results
from benchmarks.plots import PLOTS, plot_stages, seconds_by_side
from benchmarks.report import at_least, plain
from benchmarks.tools import STAGES, in_milliseconds
from tests.sources import ROOT

FOUND = results()


def row(library, rows, **stages):
    times = in_milliseconds({stage: ms / 1e3 for stage, ms in stages.items()})
    return {"rows": rows, "library": library, **times, "right labels": rows}


def cost(side, total, **about):
    """Return a row of a model, in the columns that `costs` writes."""
    taken = dict.fromkeys(STAGES, total / 5) | {"total": total}
    return {**about, "side": side, **in_milliseconds(taken), "tables": 7}


TREE = {"data": "wine", "model": "tree"}
NETWORK = {"network": "digits, 64 hidden", "bits": "3 and 2"}
#: Made up: what real ones look like, of two trees and a network.
ROWS = {
    "trees": [
        cost("ours, beside 6 bits", 0.25, **TREE),
        cost("peer, 6 bits", 2.5, **TREE),
        {"data": "iris", "model": "tree", "side": "ours", "note": "too wide"},
        {"over": "all, worst", "ratio": 10.0, "goal": at_least(8, 10.0, "x")},
    ],
    "networks": [cost("ours", 0.5, **NETWORK), cost("peer", 4.0, **NETWORK)],
}


def test_page_is_that_of_the_results():
    assert main(["--check"]) == 0


@pytest.mark.parametrize("name", FOUND)
def test_results_say_where_and_with_what_they_were_measured(name):
    content = FOUND[name]
    assert {"machine", "processors", "python", "fhe-estimators"} <= content["ours"].keys()
    assert content["repeat"] >= 3
    assert set(content["results"]) <= set(MODULE_OF)


def test_results_of_linear_models_are_of_three_libraries():
    rows = FOUND["linear_stages"]["results"]["linear_stages"]
    assert {row["library"] for row in rows} == {"ours", "Concrete ML", "TenSEAL"}
    assert {"concrete-ml", "tenseal"} <= FOUND["linear_stages"]["peer"].keys()


def test_page_has_every_figure_and_no_empty_column():
    rows = [row("ours", 1, encode=0.5, operate=2500.0), row("other", 1, operate=1.25)]
    content = {"repeat": 3, "ours": {"python": "3.11"}, "results": {"linear_stages": rows}}
    text = page({"linear_stages": content})
    assert "| rows | library | encode (ms) | operate (ms) | right labels |" in text
    assert "| 1 | ours | 0.5 | 2,500 | 1 |\n| 1 | other |  | 1.25 | 1 |" in text
    assert "- ours: python 3.11\n- rounds: 3" in text


def test_page_says_whether_goals_are_met():
    goal = {"measured": 0.5, "bound": 1, "unit": " s", "least": False, "met": True}
    content = {"repeat": 3, "ours": {}, "results": {"import_modules": [{"goal": goal}]}}
    assert "| at most 1 s: met |" in page({"imports": content})


def kept(folder, **rows):
    """Write results of benchmarks, a file each, and return what a page of them takes."""
    about = {"repeat": 3, "ours": {"python": "3.11", "machine": "Linux"}}
    for name, found in rows.items():
        text = json.dumps({**about, "results": {name: found}}, default=plain)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return [f"--results={folder}", f"--page={folder / 'page.md'}"]


def test_page_has_trees_and_networks_once_there_are_results(tmp_path):
    options = kept(tmp_path, **ROWS)
    main(options)
    assert main([*options, "--check"]) == 0
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["trees", "networks"]
    assert "| data | model | side | encode (ms) | encrypt (ms) | operate (ms) |" in text
    assert (
        "| wine | tree | peer, 6 bits | 500 | 500 | 500 | 500 | 500 | 2,500 | 7 |" in text
    )
    assert "| over | ratio | goal |" in text
    assert "| all, worst | 10 | at least 8x: met |" in text
    for name in ROWS:
        assert f"]({name}.png)" in text
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_page_that_is_out_of_date_is_found(tmp_path, capsys):
    options = kept(tmp_path, networks=ROWS["networks"])
    main(options)
    kept(tmp_path, networks=ROWS["networks"][:1])
    assert main([*options, "--check"]) == 1
    assert "python -m benchmarks.page" in capsys.readouterr().err


def test_page_leaves_out_what_has_no_results(tmp_path):
    main(kept(tmp_path, networks=ROWS["networks"], trees=[]))
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["networks"]
    assert not (tmp_path / "trees.png").exists()


def test_plot_has_seconds_of_both_sides():
    found = seconds_by_side(ROWS["trees"], "{data}, {model}")
    assert found == {
        "ours": {"wine, tree": 0.25},
        "Concrete ML, 6 bits": {"wine, tree": 2.5},
    }


def test_pictures_of_the_page_are_there():
    linked = re.findall(r"\]\((\w+\.png)\)", PAGE.read_text(encoding="utf-8"))
    assert linked
    assert [name for name in linked if not (PAGE.parent / name).exists()] == []


def test_target_writes_results_of_all_that_have_a_section():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"^(?:BESIDE_PEERS|ALONE) := (.*)$", makefile, re.MULTILINE)
    written = {name for names in named for name in names.split()}
    assert {*FOUND, *PLOTS} <= written <= set(MODULE_OF)


def test_imports_are_divided_after_the_start_of_the_interpreter():
    told = """import time: self [us] | cumulative | imported package
import time:      9000 |       9000 |   encodings
import time:      5000 |      14000 | site
import time:      2000 |       2000 |     numpy
import time:       500 |       2500 |   fhe_estimators._config
import time:      1500 |       4000 | fhe_estimators
"""
    assert divided(told) == {"own": 2.0, "needed": 2.0}


def test_plot_has_libraries_that_lack_a_stage(tmp_path):
    rows = [row("ours", n, **dict.fromkeys(STAGES, 1.0)) for n in (1, 64)]
    plot_stages([*rows, row("other", 1, operate=2.0)], tmp_path / "stages.png")
    assert (tmp_path / "stages.png").read_bytes().startswith(b"\x89PNG")


def test_peers_are_pinned():
    text = (ROOT / "benchmarks/peers.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    pinned = dict(line.split("==") for line in lines)
    assert pinned["concrete-ml"] == "1.9.0"
    measured = FOUND["linear_stages"]["peer"]
    assert {k: v for k, v in measured.items() if k in pinned} == {
        k: v for k, v in pinned.items() if k in measured
    }


def test_page_names_commands_that_are_there():
    named = re.findall(r"^## (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert named
    assert set(named) <= set(MODULE_OF)
