"""What compiled programs depend on: sets of instructions, too."""

import pickle

import numpy as np
import pytest

from fhe_estimators.core.circuit import Circuit
from fhe_estimators.core.engine import ClearEngine, Machine, engine_version
from fhe_estimators.core.engine._machine import instruction_sets
from fhe_estimators.core.engine._part import ConcretePart
from fhe_estimators.core.graph import Graph, Node, Value
from fhe_estimators.exceptions import CompilationError

NEW = Machine("Linux", "x86_64", ("avx2", "avx512f", "fma"))
OLD = Machine("Linux", "x86_64", ("avx2", "fma"))


def test_sets_of_instructions_are_those_of_all_processors():
    text = (
        "processor\t: 0\nflags\t\t: fpu avx2 avx512f ibrs sse4_1 fma\nbugs\t: fma\n"
        "processor\t: 1\nflags\t\t: fpu avx2 ibrs sse4_1 fma\n"
    )
    assert instruction_sets(text) == ("avx2", "fma", "sse4_1")
    assert instruction_sets("processor\t: 0\nFeatures\t: fp asimd sve2\n") == (
        "asimd",
        "sve2",
    )
    assert instruction_sets("") == ()


def test_programs_run_where_there_is_all_that_they_may_use():
    assert NEW.runs(NEW)
    assert NEW.runs(OLD)
    assert not OLD.runs(NEW)
    assert not NEW.runs(NEW._replace(processor="aarch64"))
    assert not NEW.runs(NEW._replace(system="Darwin"))
    assert Machine.here().runs(Machine.here())


@pytest.mark.parametrize(
    "change",
    [{"machine": Machine("Linux", "x86_64", ("avx1024",))}, {"version": "2.10.0"}],
    ids=["machine", "engine"],
)
def test_workers_of_another_kind_refuse(change):
    part = ConcretePart("circuit", {}, b"", **change)
    with pytest.raises(CompilationError, match=f"A worker has .*{engine_version()}"):
        part.ready()


def test_pickles_are_compiled_again_on_another_kind_of_machine(monkeypatch):
    """Such as one without AVX-512, where what was compiled would end the process."""
    y = Value("y", (None, 2), 0, 7)
    graph = Graph(
        (Node("TableLookup", ("x", "t"), ("y",), {"first": 0}),),
        (Value("x", (None, 2), 0, 7),),
        (y,),
        {"t": np.arange(8)[::-1]},
        {"y": y},
    )
    saved = pickle.dumps(Circuit(graph, engine=ClearEngine()))
    here, compiled = Machine.here(), []
    compile_ = ClearEngine.compile

    def noted(self, *arguments):
        compiled.append(1)
        return compile_(self, *arguments)

    monkeypatch.setattr(ClearEngine, "compile", noted)
    pickle.loads(saved)
    assert not compiled
    lesser = here._replace(instructions=here.instructions[1:])
    monkeypatch.setattr(Machine, "here", classmethod(lambda cls: lesser))
    assert bool(here.instructions) == (len(lesser.instructions) < len(here.instructions))
    loaded = pickle.loads(saved)
    assert len(compiled) == bool(here.instructions)
    rows = np.array([[1, 2], [3, 7]])
    np.testing.assert_array_equal(loaded.encrypt_run_decrypt(rows), 7 - rows)
