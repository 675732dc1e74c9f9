"""Many series in one figure: the worst shown, the rest on demand."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.record.vocabulary import Measure
from keras_trainkit.report.drawing.decimation import POINTS, decimate, smooth
from keras_trainkit.report.drawing.specification import (
    LONGEST,
    encode,
    plain,
    short,
)
from keras_trainkit.report.drawing.theme import SERIES_COLORS

SHOWN = 8
_DASHES = ("solid", "dash", "dot", "dashdot")
_MARKS_A_SERIES = 20
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
        follow as crosses where they begin.
    """
    ranked = sorted(chosen, key=lambda series: -_rank(readings.latest(series), measure))
    logarithmic = measure.logarithmic
    traces: list[dict[str, Any]] = []
    rest: list[int] = []
    crosses: list[tuple[int, float, str]] = []
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
            crosses += _crosses(series.tensor_name, steps, values, logarithmic)
            low = min(low, np.min(y, initial=np.inf, where=drawn))
            high = max(high, np.max(y, initial=-np.inf, where=drawn))
        if not shown:
            rest.append(len(traces))
        traces.append(_line(series, x, y, place))
        if shown and len(values) >= _NOISY:
            traces.append(_smoothed(traces[-1], steps, values, logarithmic))
    if crosses:
        traces.append(_cross_trace(crosses))
    return Lines(traces, rest, float(low), float(high))


def marks(name: str, steps: np.ndarray, values: np.ndarray) -> list[dict[str, Any]]:
    """Returns a trace of crosses where a single line is not finite, or no trace."""
    crosses = _crosses(name, steps, values, logarithmic=False)
    return [_cross_trace(crosses)] if crosses else []


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


def _crosses(
    name: str, steps: np.ndarray, values: np.ndarray, logarithmic: bool
) -> list[tuple[int, float, str]]:
    """Step, height and text of a cross wherever readings begin to be no line."""
    drawn = np.isfinite(values)
    if logarithmic:
        drawn &= values > 0
    starts = np.flatnonzero(~drawn & np.concatenate(([True], drawn[:-1])))
    known = np.flatnonzero(drawn)
    crosses = []
    for row in starts[:_MARKS_A_SERIES]:
        # At the height where the line breaks off, or where it will begin.
        before = np.searchsorted(known, row) - 1
        height = values[known[max(before, 0)]] if len(known) else 1.0
        text = f"{plain(name)}<br>becomes {values[row]:g}"
        crosses.append((int(steps[row]), float(height), text))
    return crosses


def _cross_trace(crosses: list[tuple[int, float, str]]) -> dict[str, Any]:
    steps, heights, texts = zip(*crosses, strict=True)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "not finite or zero",
        "x": encode(np.array(steps)),
        "y": encode(np.array(heights)),
        "text": list(texts),
        "marker": {"symbol": "x-thin-open", "size": 9, "color": "@bad"},
        "hovertemplate": "%{text} at step %{x}<extra></extra>",
    }
