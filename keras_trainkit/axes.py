"""Matplotlib, which is imported only when something is drawn."""

from typing import Any


def new_axes() -> Any:
    """Returns the axes of a new figure.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "`plot()` needs matplotlib. Install it with `pip install matplotlib`, "
            "or read the numbers and draw them with what you have."
        ) from error
    _, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    return axes
