"""Run the notebooks, and store what they show.

Nothing of this machine is stored: no times of cells, no folders.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from tqdm import tqdm

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
#: Seconds that a cell may take.
_PATIENCE = 300


def executed(path: Path, folder: Path) -> Any:
    """Return a notebook with the outputs of this interpreter, whatever kernels there are.

    Parameters
    ----------
    path : Path
    folder : Path
        An empty one, where it runs.
    """
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        # Other tools leave times there.
        cell.metadata.pop("execution", None)
    client = NotebookClient(
        notebook,
        timeout=_PATIENCE,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    manager = client.create_kernel_manager()
    # Without folders to search, the one kernel left is that of `sys.executable`.
    manager.kernel_spec_manager = KernelSpecManager(kernel_dirs=[])
    client.execute(env={**os.environ, "IPYTHONDIR": str(folder / "ipython")})
    return notebook


def main() -> None:
    """Run all notebooks, or some, in place."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, default=NOTEBOOKS)
    for path in tqdm(parser.parse_args().paths, "notebooks"):
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(path, Path(folder))
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
