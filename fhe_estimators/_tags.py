"""scikit-learn's tags with what is known of the encrypted computation."""

from __future__ import annotations

from dataclasses import dataclass, field

from sklearn.utils import Tags as SklearnTags

__all__ = ["FHETags", "Tags"]


@dataclass(slots=True)
class FHETags:
    """What is known of the encrypted computation of an estimator.

    Parameters
    ----------
    exact : bool, default=True
        Whether clear integers, simulation and encrypted computation agree always, up to
        the probability `p_error`.
    levelled : bool, default=False
        Whether the circuit needs no bootstrap.
    faithful_twin : bool, default=False
        Whether `from_sklearn_model` without `n_bits` gives an estimator that predicts as
        the given model does. Else it predicts as if it were fitted itself.
    """

    exact: bool = True
    levelled: bool = False
    faithful_twin: bool = False


@dataclass(slots=True)
class Tags(SklearnTags):
    """scikit-learn's tags with `fhe_tags`."""

    fhe_tags: FHETags = field(default_factory=FHETags)
