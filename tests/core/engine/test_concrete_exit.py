"""How a process ends that has evaluated a circuit is its own affair."""

import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
    import atexit, os, sys, tempfile
    atexit.register(print, "registered before", flush=True)
    import numpy as np
    from fhe_estimators import LinearRegression

    folders = tempfile.tempdir = tempfile.mkdtemp()
    X = np.arange(12.0).reshape(6, 2)
    model = LinearRegression().fit(X, X[:, 0])
    for _ in range(3):
        model.compile(X)
        model.predict(X[:1], fhe="execute")
    atexit.register(lambda: print(folders))
    {end}
"""


@pytest.mark.fhe
@pytest.mark.parametrize(
    ("end", "status"), [("sys.exit(3)", 3), ("raise ValueError", 1), ("", 0)]
)
def test_status_handlers_and_folders(end, status, tmp_path):
    """The engine's own exit handler makes the status 0 and skips earlier handlers."""
    code = textwrap.dedent(SCRIPT).format(end=end)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "registered before" in done.stdout
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
