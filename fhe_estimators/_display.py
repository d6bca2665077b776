"""What plots share, in the manner of scikit-learn's displays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.utils._optional_dependencies import check_matplotlib_support

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["Display"]


class Display:
    """What all displays share.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Drawn in.
    figure_ : matplotlib.figure.Figure
        Of the axes.
    """

    ax_: Axes
    figure_: Figure | SubFigure

    def _axes(self, ax: Axes | None) -> Axes:
        """Return axes to draw in, new ones if none are given, and keep them."""
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        self.ax_, self.figure_ = ax, ax.figure
        return ax
