"""The loss of every step."""

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.report.drawing.decimation import decimate, smooth
from keras_trainkit.report.drawing.declaration import Declaration, Source
from keras_trainkit.report.drawing.marks import mark_traces, series_marks
from keras_trainkit.report.drawing.specification import (
    Specification,
    decades,
    encode,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def loss_curve(record: Source) -> "Figure":
    """Draws the loss of every batch, pale, with its running mean over it.

    Long runs are thinned to what a screen can show; the smallest and the largest
    loss of every stretch stay, and a cross marks where the loss stops being finite.

    Args:
        record: The record, its file, or the run directory.

    Returns:
        Loss over steps, both as recorded.

    Example:
        ```python
        tk.report.figures.loss_curve(monitor.record).show()
        ```
    """
    return FIGURES[0].plotted(record)


def draw(readings: Readings) -> Specification | None:
    """Draws every batch's loss, pale, and its running mean over it."""
    steps, _, values = readings.arrays(Series("loss"))
    if not len(steps):
        return None
    x, y = decimate(steps, values)
    traces = [
        {
            "type": "scatter",
            "mode": "lines" if len(x) > 40 else "lines+markers",
            "name": "each batch",
            "x": encode(x),
            "y": encode(y),
            "line": {"width": 1, "color": "@train_faint"},
            "hovertemplate": "step %{x}: %{y:.4g}<extra>batch</extra>",
        }
    ]
    x, y, window = smooth(steps, values)
    if len(x):
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "smoothed",
                "x": encode(x),
                "y": encode(y),
                "line": {"width": 2.4, "color": "@train"},
                "hovertemplate": f"around step %{{x}}: %{{y:.4g}}"
                f"<extra>mean of {window} steps</extra>",
            }
        )
    traces += mark_traces(
        series_marks(readings, Series("loss"), "the loss", False), floor=0.0
    )
    return Specification(
        name="loss",
        title="Loss of each batch",
        caption="Falls fast, then ever more slowly, when the learning rate is good; "
        "climbs when it is too high. The pale line is what each batch gave, the "
        "strong one its running mean.",
        traces=traces,
        layout={
            "xaxis": {"title": {"text": "Step"}, "rangemode": "nonnegative"},
            "yaxis": {
                "title": {"text": "Loss"},
                **_axis(values),
            },
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        },
        logarithmic="yaxis",
        over="step",
        wide=True,
    )


def _axis(values: np.ndarray) -> dict[str, Any]:
    """A logarithmic axis if the losses span more than two decades."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {}
    low, high = float(finite.min()), float(finite.max())
    return decades(low, high) if low > 0 and high / low > 200 else {}


FIGURES = (Declaration("the loss of each batch", 10, draw, ("loss",)),)
