"""Bars on standard error for what takes long, if `config_context` asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

from fhe_estimators._config import shows_progress

__all__ = ["shown", "stage"]

Item = TypeVar("Item")


class _Bar(tqdm):  # type: ignore[misc]
    """A bar without tqdm's thread: beside one, what is done on SIGINT cannot be kept."""

    monitor_interval = 0


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Show that something is being done, and at its end how long it took.

    It decorates functions, too. Stages of another one are removed at their end.
    """
    if not shows_progress():
        yield
        return
    form = "{desc}: {elapsed}"
    with _Bar(desc=name, bar_format=form, leave=None):
        yield


def shown(
    items: Iterable[Item],
    name: str,
    total: int,
    *,
    unit: str = "row",
    progress: bool | None = None,
) -> tqdm[Item]:
    """Return a bar over items; as a context, over what its block updates it for.

    Parameters
    ----------
    items : iterable
    name : str
    total : int
        Of items.
    unit : str, default='row'
        What an item is.
    progress : bool, optional
        Whether to show it, as `config_context` says by default.
    """
    hidden = not (shows_progress() if progress is None else progress)
    return _Bar(items, desc=name, total=total, unit=unit, leave=None, disable=hidden)
