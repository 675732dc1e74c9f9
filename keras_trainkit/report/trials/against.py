"""The score against one hyperparameter, its range and its ends marked."""

import dataclasses
import math
from typing import Any

from keras_trainkit.report.drawing.specification import (
    Specification,
    decades,
    plain,
    short,
)
from keras_trainkit.report.drawing.theme import SERIES_COLORS
from keras_trainkit.report.trials.marks import failures, points, strip_axis
from keras_trainkit.report.trials.results import Axis, SearchResults
from keras_trainkit.report.trials.words import written

_MARGIN = 0.04


def draw(results: SearchResults, axis: Axis, index: int) -> Specification:
    """Draws one hyperparameter.

    Args:
        results: The search.
        axis: The hyperparameter.
        index: Its place, for the figure's name.
    """
    active = dataclasses.replace(
        results, trials=[trial for trial in results.trials if axis.name in trial.values]
    )

    def place(trial: Any) -> Any:
        value = trial.values[axis.name]
        return plain(short(written(value))) if axis.low is None else float(value)

    bars = _stage_bars(active, axis)
    traces = points(active, place) + failures(active, place) + bars
    low, high = 0.0, 1.0
    layout: dict[str, Any] = {
        "xaxis": _horizontal(active, axis),
        "showlegend": len(results.stages) > 1,
        "shapes": _ends(axis),
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    }
    if active.failed():
        layout["yaxis2"] = strip_axis()
        low = 0.12
    if bars:
        rows = len(results.stages)
        high = 0.97 - 0.035 * rows
        layout["yaxis3"] = {
            "domain": [high + 0.03, 1],
            "range": [rows - 0.4, -0.6],
            "visible": False,
            "fixedrange": True,
        }
    layout["yaxis"] = {
        "title": {"text": plain(short(results.objective))},
        "domain": [low, high],
        **active.score_axis(),
    }
    # The lowest of the strips carries the horizontal axis.
    layout["xaxis"]["anchor"] = "y2" if active.failed() else "y"
    return Specification(
        f"against-{index}",
        axis.name,
        _caption(axis, bool(bars)),
        traces,
        layout,
        logarithmic="yaxis" if active.can_be_logarithmic() else "",
    )


def _horizontal(results: SearchResults, axis: Axis) -> dict[str, Any]:
    title = {"title": {"text": plain(short(axis.name, 60))}}
    if axis.low is None or axis.high is None:
        names = [plain(short(written(option))) for option in axis.options]
        return {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": names,
            "range": [-0.5, max(len(names), 1) - 0.5],
            **title,
        }
    values = [float(trial.values[axis.name]) for trial in results.trials]
    low, high = min([axis.low, *values]), max([axis.high, *values])
    for stage in results.stages:
        ends = stage.ranges.get(axis.name, (low, high))
        low, high = min(low, ends[0]), max(high, ends[1])
    if axis.logarithmic and low > 0:
        ends = (math.log10(low), math.log10(high))
        settings = decades(low, high)
    else:
        ends, settings = (low, high), {}
    margin = _MARGIN * (ends[1] - ends[0]) or 0.5
    return {**settings, "range": [ends[0] - margin, ends[1] + margin], **title}


def _ends(axis: Axis) -> list[dict[str, Any]]:
    """The ends as lines; a crowded end with its outer part shaded."""
    if axis.low is None or axis.high is None:
        return []
    along = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    shapes: list[dict[str, Any]] = [
        along | {"x0": end, "x1": end, "line": {"dash": "dash", "color": "@muted"}}
        for end in (axis.low, axis.high)
    ]
    shapes += [
        along
        | {"type": "rect", "line": {"width": 0}, "fillcolor": "@gap"}
        | {"x0": first, "x1": last}
        for first, last in axis.crowded
    ]
    return shapes


def _stage_bars(results: SearchResults, axis: Axis) -> list[dict[str, Any]]:
    """Above the points, one bar a stage: how the range moved and shrank."""
    if len(results.stages) < 2:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": list(stage.ranges[axis.name]),
            "y": [row, row],
            "yaxis": "y3",
            "line": {"width": 5, "color": f"@series{row % SERIES_COLORS}"},
            "showlegend": False,
            "hoverinfo": "text",
            "text": [
                f"{plain(stage.label)}: "
                + " to ".join(map(written, map(float, stage.ranges[axis.name])))
            ]
            * 2,
        }
        for row, stage in enumerate(results.stages)
        if axis.name in stage.ranges
    ]


def _caption(axis: Axis, staged: bool) -> str:
    if axis.low is None:
        return "Every point is a trial; rings mark the best."
    ends = "Dashed lines are the ends of the range; rings mark the best trials."
    if axis.crowded:
        ends += " The shaded end is where these crowd."
    if staged:
        ends += " Bars on top are the ranges of the stages."
    return ends
