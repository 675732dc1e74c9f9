"""Many series in one figure: the worst shown, the rest on demand."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.record.vocabulary import Measure
from keras_trainkit.report.drawing.decimation import POINTS, decimate, smooth
from keras_trainkit.report.drawing.marks import Mark, mark_traces, series_marks
from keras_trainkit.report.drawing.specification import (
    LONGEST,
    encode,
    plain,
    short,
)
from keras_trainkit.report.drawing.theme import SERIES_COLORS

SHOWN = 8
_DASHES = ("solid", "dash", "dot", "dashdot")
# Smaller ratios are as good as none, and not drawn.
LEAST = 1e-8
_NOISY = 120


class Lines(NamedTuple):
    """What `layer_lines` drew.

    Args:
        traces: Plotly traces, the worst series first.
        rest: Indices of the traces shown only on demand.
        low: Smallest reading drawn, `inf` if there is none.
        high: Largest reading drawn, `-inf` if there is none.
    """

    traces: list[dict[str, Any]]
    rest: list[int]
    low: float
    high: float


def layer_lines(
    readings: Readings,
    chosen: Iterable[Series],
    measure: Measure,
) -> Lines:
    """Draws one line a series, the worst first.

    Args:
        readings: The record.
        chosen: The series to draw.
        measure: What they are: it ranks the latest value of each, NaN and infinity
            before all numbers, and says whether the axis is logarithmic, where zero
            and negative readings cannot be drawn.

    Returns:
        The traces. A long series that is shown has a pale line of all readings and a
        strong one, its running mean (of the logarithms, on a logarithmic axis).
        Readings that no line can show (NaN, infinity, zero on a logarithmic axis)
        follow as marks where they begin.
    """
    ranked = sorted(chosen, key=lambda series: -_rank(readings.latest(series), measure))
    logarithmic = measure.logarithmic
    traces: list[dict[str, Any]] = []
    rest: list[int] = []
    marks: list[Mark] = []
    low, high = np.inf, -np.inf
    for place, series in enumerate(ranked):
        shown = place < SHOWN
        steps, _, values = readings.arrays(series)
        x, y = decimate(steps, values, POINTS if shown else POINTS // 2)
        drawn = np.isfinite(y)
        if logarithmic:
            drawn &= y > 0
        if drawn.all():
            low, high = min(low, y.min()), max(high, y.max())
        else:
            marks += series_marks(readings, series, series.tensor_name, logarithmic)
            low = min(low, np.min(y, initial=np.inf, where=drawn))
            high = max(high, np.max(y, initial=-np.inf, where=drawn))
        if not shown:
            rest.append(len(traces))
        traces.append(_line(series, x, y, place))
        if shown and len(values) >= _NOISY:
            traces.append(_smoothed(traces[-1], steps, values, logarithmic))
    traces += mark_traces(marks, _floor(measure, float(low)))
    return Lines(traces, rest, float(low), float(high))


def _floor(measure: Measure, low: float) -> float:
    """The lowest place that a figure of the measure shows."""
    if measure.healthy is not None and measure.logarithmic:
        return min(measure.healthy.low, max(low, LEAST))
    return low if np.isfinite(low) else 1.0


def _rank(value: float, measure: Measure) -> float:
    return measure.badness(value) if np.isfinite(value) else np.inf


def _line(
    series: Series, steps: np.ndarray, values: np.ndarray, place: int
) -> dict[str, Any]:
    name = plain(series.tensor_name)
    return {
        "type": "scatter",
        # One reading makes no line.
        "mode": "lines" if len(steps) > 40 else "lines+markers",
        "name": name if len(name) <= LONGEST else plain(short(series.tensor_name)),
        "meta": name,
        "x": encode(steps),
        "y": encode(values),
        "line": {
            "width": 1.4,
            "color": f"@series{place % SERIES_COLORS}",
            "dash": _DASHES[place // SERIES_COLORS % len(_DASHES)],
        },
        "marker": {"size": 5},
        "hovertemplate": "%{meta}<br>step %{x}: %{y:.3g}<extra></extra>",
        "visible": True if place < SHOWN else "legendonly",
    }


def _smoothed(
    line: dict[str, Any], steps: np.ndarray, values: np.ndarray, logarithmic: bool
) -> dict[str, Any]:
    """Draws the running mean of a line and makes the line itself pale."""
    if logarithmic:
        with np.errstate(invalid="ignore", divide="ignore"):
            x, y, window = smooth(steps, np.log(values))
        y = np.exp(y)
    else:
        x, y, window = smooth(steps, values)
    strong = {
        **line,
        "mode": "lines",
        "x": encode(x),
        "y": encode(y.astype(np.float32)),
        "line": {**line["line"], "width": 2},
        "legendgroup": line["meta"],
        "hovertemplate": "%{meta}<br>around step %{x}: %{y:.3g}"
        f"<extra>mean of {window} steps</extra>",
    }
    line.update(legendgroup=line["meta"], showlegend=False, opacity=0.28)
    line["line"] = {**line["line"], "width": 1}
    return strong
