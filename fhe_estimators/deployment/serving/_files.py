"""Rows and results in files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np


def read_table(path: Path) -> Any:
    """Return the table in a file, as a data frame.

    One of polars from a ``.parquet``, else one of pandas from text with commas.

    Raises
    ------
    ValueError
        If it is a ``.npy``: its columns have no names.
    """
    if path.suffix == ".npy":
        raise ValueError(f"{path} has no names of columns: give a file .csv or .parquet.")
    if path.suffix == ".parquet":
        import polars as pl

        return pl.read_parquet(path)
    import pandas as pd

    return pd.read_csv(path)


def read_rows(path: Path, names: np.ndarray | None) -> Any:
    """Return the rows in a file, as a model takes them that was fitted on named columns.

    Parameters
    ----------
    path : Path
        Of a ``.npy``, a ``.parquet``, or a file of numbers between commas, with a line of
        names or without.
    names : ndarray of str or None
        What the model was fitted on; None if columns had no names.
    """
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if path.suffix == ".parquet":
        table = read_table(path)
        return table if names is not None else table.to_numpy()
    if names is None:
        with path.open(encoding="utf-8") as file:
            first = file.readline().strip().split(",")
        n_names = int(not _are_numbers(first))
        return np.loadtxt(path, delimiter=",", ndmin=2, skiprows=n_names)
    return read_table(path)


def _are_numbers(texts: list[str]) -> bool:
    try:
        [float(text) for text in texts]
    except ValueError:
        return False
    return True


def write_results(results: Any, output: str | None) -> None:
    """Write results to a file, ``.npy`` or lines of text, or to standard output."""
    if output is not None and output.endswith(".npy"):
        np.save(output, np.asarray(results), allow_pickle=False)
        return
    array = np.asarray(results)
    lines = [",".join(map(str, np.atleast_1d(row).ravel().tolist())) for row in array]
    text = "\n".join(lines) + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        Path(output).write_text(text, "utf-8")
