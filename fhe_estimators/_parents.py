"""The classes that estimators mirror."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["MirroringMixin", "in_floating_point", "parent_of", "public_name"]


class MirroringMixin:
    """Stands left of the class that an estimator mirrors."""

    #: The mirrored class, if it is one of this package.
    _mirrors: ClassVar[type | None] = None


def parent_of(cls: type[MirroringMixin]) -> type:
    """Return the class that an estimator mirrors: it stands right of all that is ours."""
    right = cls.__mro__[cls.__mro__.index(MirroringMixin) + 1 :]
    outside = (base for base in right if not base.__module__.startswith("fhe_estimators."))
    return cls._mirrors or next(outside)


def in_floating_point(model: Any) -> Any:
    """Return a fitted estimator of the mirrored class, with the same attributes."""
    parent: Any = parent_of(type(model))
    found = parent.__new__(parent)
    found.__dict__.update(vars(model))
    return found


def public_name(cls: type) -> str:
    """Return the dotted name of a class without the private modules of its library."""
    parts = [part for part in cls.__module__.split(".") if not part.startswith("_")]
    return ".".join([*parts, cls.__name__])
