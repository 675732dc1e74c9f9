"""The learning rate."""

from typing import TYPE_CHECKING

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.report.drawing.decimation import decimate
from keras_trainkit.report.drawing.declaration import Declaration, Source
from keras_trainkit.report.drawing.marks import mark_traces, series_marks
from keras_trainkit.report.drawing.specification import Specification, encode

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def learning_rate(record: Source) -> "Figure":
    """Draws the learning rate of every step.

    Args:
        record: The record, its file, or the run directory.
    """
    return FIGURES[0].plotted(record)


def draw(readings: Readings) -> Specification | None:
    """Draws the learning rate of every step."""
    steps, _, values = readings.arrays(Series("learning_rate"))
    if not len(steps):
        return None
    x, y = decimate(steps, values)
    return Specification(
        name="learning-rate",
        title="Learning rate",
        caption="What the optimizer was told, after its schedule and callbacks.",
        traces=[
            {
                "type": "scatter",
                "mode": "lines" if len(x) > 40 else "lines+markers",
                "name": "learning rate",
                "x": encode(x),
                "y": encode(y),
                "line": {"width": 2, "color": "@train"},
                "hovertemplate": "step %{x}: %{y:.4g}<extra></extra>",
                "showlegend": False,
            },
            *mark_traces(
                series_marks(
                    readings, Series("learning_rate"), "the learning rate", False
                ),
                floor=0.0,
            ),
        ],
        layout={
            "xaxis": {"title": {"text": "Step"}, "rangemode": "nonnegative"},
            "yaxis": {"title": {"text": "Learning rate"}, "range": _range(values)},
        },
        logarithmic="yaxis",
        over="step",
    )


def _range(values: np.ndarray) -> list[float] | None:
    """From 0, so that a small change does not look like a fall."""
    highest = float(np.max(values, initial=0.0, where=np.isfinite(values)))
    lowest = float(np.min(values, initial=0.0, where=np.isfinite(values)))
    return [1.08 * lowest, 1.08 * highest] if 0 < highest < 1e300 else None


FIGURES = (Declaration("the learning rate", 70, draw, ("learning_rate",)),)
