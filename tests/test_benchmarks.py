"""Results of benchmarks that are kept, and the page that is written of them."""

import re

import pytest

from benchmarks import MODULE_OF
from benchmarks.page import PAGE, main, page, plot_stages, results
from benchmarks.stages import STAGES
from tests.sources import ROOT

FOUND = results()


def row(library, rows, **stages):
    times = {f"{stage} (ms)": stages.get(stage) for stage in STAGES}
    return {"rows": rows, "library": library, **times, "right labels": rows}


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
