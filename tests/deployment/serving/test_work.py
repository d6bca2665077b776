"""What a worker process needs: little."""

import json
import subprocess
import sys

import pytest

#: Prints what is loaded by then, and MB of memory that only this process has.
CODE = """
import json, sys
from pathlib import Path
from fhe_estimators.deployment.serving import _work
from fhe_estimators.core.engine import _native
_native.compiler()
if len(sys.argv) > 1:
    desk = _work.Desk(sys.argv[1], 64, 4)
    desk.compile(sys.argv[2])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
HEAVY = {"sklearn", "scipy", "pandas", "torch", "onnx", "joblib", "hummingbird", "skorch"}


def loaded(*arguments):
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_a_worker_loads_numpy_and_the_engine():
    found = loaded()
    assert {"numpy", "mlir"} <= found
    assert not HEAVY & found


@pytest.mark.fhe
def test_it_loads_no_more_for_models_that_are_compiled(deployed, tmp_path):
    bundle = deployed.folder / "tree" / "server.zip"
    # The first one compiles, and has to load what that takes.
    assert "torch" in loaded(tmp_path / "compiled", bundle)
    assert not HEAVY & loaded(tmp_path / "compiled", bundle)
