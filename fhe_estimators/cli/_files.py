"""Models and tables in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fhe_estimators.deployment.serving._files import read_rows, read_table

#: What is said of each argument that is a model.
MODEL = "a fitted model, as joblib.dump wrote it: loading it runs code, trust it"
ROWS = "file of rows: .csv, .parquet or .npy"
TABLE = "file of a table whose columns have names: .csv or .parquet"


def load_model(path: str) -> Any:
    """Return the model in a file; whatever code the file holds is run.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds no model.
    """
    import joblib

    try:
        return joblib.load(path)
    except OSError:
        raise
    except Exception as error:
        raise ValueError(
            f"{path} cannot be loaded: it has to be a file that joblib.dump wrote, of "
            f"classes that are installed here ({type(error).__name__}: {error})."
        ) from error


def save_model(model: Any, path: str) -> None:
    """Write a model, without keys, for `load_model`."""
    import joblib

    joblib.dump(model, path)


def rows_for(model: Any, path: str, target: str | None = None) -> tuple[Any, Any]:
    """Return the rows in a file as a model takes them, and a column of targets.

    Parameters
    ----------
    model : estimator
        Fitted: on columns that have names, or not.
    path : str
    target : str, optional
        Name of the column; there are no targets by default.

    Raises
    ------
    ValueError
        If there is no such column.
    """
    names = getattr(model, "feature_names_in_", None)
    if target is None:
        return read_rows(Path(path), names), None
    X, y = split_table(path, target)
    return X if names is not None else X.to_numpy(), y


def split_table(path: str, target: str) -> tuple[Any, np.ndarray]:
    """Return the columns of a table but one, and that one.

    Raises
    ------
    ValueError
        If there is no such column, or no other.
    """
    table = read_table(Path(path))
    columns = [str(column) for column in table.columns]
    if target not in columns or len(columns) < 2:
        raise ValueError(
            f"{path} must have the column {target!r}, of --target, and others; it has "
            f"{', '.join(columns)}."
        )
    features = [column for column in columns if column != target]
    return table[features], table[target].to_numpy()
