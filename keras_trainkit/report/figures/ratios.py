"""Update ratios of all variables, in the band where they are healthy."""

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.vocabulary import Band, measure_named
from keras_trainkit.report.drawing.declaration import Declaration, Source
from keras_trainkit.report.drawing.lines import LEAST, Lines, layer_lines
from keras_trainkit.report.drawing.specification import Specification, decades

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MEASURE = measure_named("update_ratio")


def update_ratios(record: Source) -> "Figure":
    """Draws the update ratio of each variable, with the healthy band around 1/1000.

    The eight variables furthest from 1/1000 are shown, the others on a click in the
    legend.

    Args:
        record: The record, its file, or the run directory.

    Returns:
        Ratios over steps on a logarithmic axis; the band is 1e-4 to 1e-2.
    """
    return FIGURES[0].plotted(record)


def draw(readings: Readings) -> Specification | None:
    """Draws the update ratio of every variable over the steps."""
    chosen = readings.select("update_ratio")
    if not chosen:
        return None
    assert _MEASURE.healthy is not None
    band = _MEASURE.healthy
    lines = layer_lines(readings, chosen, _MEASURE)
    return Specification(
        name="update-ratios",
        title="Update ratios",
        caption="The size of an update over the size of what it updates. Near 1/1000 "
        "is healthy, the shaded band is tolerable; far above it the learning rate is "
        "too high, far below too low. Pale each step, strong its running mean; "
        "furthest from 1/1000 first.",
        traces=lines.traces,
        layout={
            "xaxis": {"title": {"text": "Step"}, "rangemode": "nonnegative"},
            "yaxis": {
                "title": {"text": "Update ratio"},
                "range": _range(lines, band),
                **decades(band.low, max(band.high, lines.high)),
            },
            "shapes": _shapes(band),
        },
        rest=lines.rest,
        over="step",
        wide=True,
    )


def _shapes(band: Band) -> list[dict[str, Any]]:
    across = {"xref": "paper", "x0": 0, "x1": 1, "layer": "below"}
    return [
        {
            **across,
            "type": "rect",
            "y0": band.low,
            "y1": band.high,
            "fillcolor": "@good_faint",
            "line": {"width": 0},
        },
        {
            **across,
            "type": "line",
            "y0": band.aim,
            "y1": band.aim,
            "line": {"width": 2, "color": "@good"},
        },
    ]


def _range(lines: Lines, band: Band) -> list[float]:
    """The band and all readings above 1e-8: less is as good as no update."""
    low = min(band.low, max(lines.low, LEAST))
    high = max(band.high, lines.high)
    return [float(np.log10(low)) - 0.2, float(np.log10(high)) + 0.2]


FIGURES = (Declaration("update ratios", 40, draw, ("update_ratio", "update_norm")),)
