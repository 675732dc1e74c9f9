"""Marks for readings that no line can show."""

from typing import Any, NamedTuple

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.report.drawing.specification import encode, plain

_MARKS_A_SERIES = 20
_STYLES = {
    "not finite": {"symbol": "x-thin-open", "size": 9, "color": "@bad"},
    "was 0 before": {"symbol": "diamond-open", "size": 7, "color": "@muted"},
    "zero": {"symbol": "triangle-down-open", "size": 8, "color": "@muted"},
}


class Mark(NamedTuple):
    """One reading that no line can show.

    Args:
        kind: "not finite", "was 0 before" (a ratio to nothing) or "zero".
        step: Where it stands.
        height: Where the line breaks off, or will begin; NaN for a zero, which
            stands on the floor of the figure.
        text: What a reader is told of it.
    """

    kind: str
    step: int
    height: float
    text: str


def series_marks(
    readings: Readings, series: Series, name: str, logarithmic: bool
) -> list[Mark]:
    """Returns a mark wherever the readings of a series begin to be no line.

    Args:
        readings: The record.
        series: The series.
        name: What the marks call it.
        logarithmic: Whether zero and negative readings cannot be drawn either.
    """
    steps, _, values = readings.arrays(series)
    drawn = np.isfinite(values)
    if logarithmic:
        drawn &= values > 0
    kinds = np.where(np.isfinite(values), 1, 2) * ~drawn
    starts = np.flatnonzero((kinds > 0) & (np.diff(kinds, prepend=0) != 0))
    known = np.flatnonzero(drawn)
    marks = []
    for row in starts[:_MARKS_A_SERIES]:
        kind = _kind(readings, series, int(steps[row]), float(values[row]))
        height = np.nan
        if kind != "zero":
            before = np.searchsorted(known, row) - 1
            height = values[known[max(before, 0)]] if len(known) else 1.0
        words = "infinite, for it was 0" if kind == "was 0 before" else ""
        text = f"{plain(name)}<br>becomes {words or format(values[row], 'g')}"
        marks.append(Mark(kind, int(steps[row]), float(height), text))
    return marks


def mark_traces(marks: list[Mark], floor: float) -> list[dict[str, Any]]:
    """Returns one trace for each kind of mark that there is.

    Args:
        marks: All marks of a figure.
        floor: The lowest place that the figure shows.
    """
    traces = []
    for kind, style in _STYLES.items():
        own = [mark for mark in marks if mark.kind == kind]
        if not own:
            continue
        heights = [floor if np.isnan(one.height) else one.height for one in own]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": kind,
                "x": encode(np.array([mark.step for mark in own])),
                "y": encode(np.array(heights)),
                "text": [mark.text for mark in own],
                "marker": style,
                "hovertemplate": "%{text} at step %{x}<extra></extra>",
            }
        )
    return traces


def _kind(readings: Readings, series: Series, step: int, value: float) -> str:
    if np.isfinite(value):
        return "zero"
    if series.measure == "update_ratio" and value == np.inf:
        steps, _, sizes = readings.arrays(series._replace(measure="weight_norm"))
        if (sizes[steps == step] == 0).any():
            return "was 0 before"
    return "not finite"
