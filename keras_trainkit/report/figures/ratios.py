"""Update ratios of all variables, in the band where they are healthy."""

from typing import Any

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.report.figures.lines import Lines, layer_lines
from keras_trainkit.report.figures.specification import Specification, decades

HEALTHY = 1e-3
BAND = (1e-4, 1e-2)


def distance(ratio: float) -> float:
    """How far an update ratio is from 1e-3, in decades; infinite for 0."""
    return abs(float(np.log10(ratio / HEALTHY))) if ratio > 0 else np.inf


def draw(readings: Readings) -> Specification | None:
    """Draws the update ratio of every variable over the steps."""
    chosen = readings.select("update_ratio")
    if not chosen:
        return None
    lines = layer_lines(readings, chosen, distance, logarithmic=True)
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
                "range": _range(lines),
                **decades(BAND[0], max(BAND[1], lines.high)),
            },
            "shapes": _band(),
        },
        rest=lines.rest,
        wide=True,
    )


def _band() -> list[dict[str, Any]]:
    across = {"xref": "paper", "x0": 0, "x1": 1, "layer": "below"}
    return [
        {
            **across,
            "type": "rect",
            "y0": BAND[0],
            "y1": BAND[1],
            "fillcolor": "@good_faint",
            "line": {"width": 0},
        },
        {
            **across,
            "type": "line",
            "y0": HEALTHY,
            "y1": HEALTHY,
            "line": {"width": 2, "color": "@good"},
        },
    ]


def _range(lines: Lines) -> list[float]:
    """The band and all readings above 1e-8: less is as good as no update."""
    low = min(BAND[0], max(lines.low, 1e-8))
    high = max(BAND[1], lines.high)
    return [float(np.log10(low)) - 0.2, float(np.log10(high)) + 0.2]
