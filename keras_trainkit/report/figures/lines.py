"""Many series in one figure: the worst shown, the rest on demand."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from keras_trainkit.record import Series
from keras_trainkit.report.decimation import POINTS, decimate
from keras_trainkit.report.figures.specification import encode, plain, short
from keras_trainkit.report.readings import Readings
from keras_trainkit.report.theme import SERIES_COLORS

SHOWN = 8
_DASHES = ("solid", "dash", "dot", "dashdot")
_MARKS_A_SERIES = 20


def layer_lines(
    readings: Readings,
    chosen: Iterable[Series],
    badness: Callable[[float], float],
    logarithmic: bool = False,
) -> tuple[list[dict[str, Any]], list[int]]:
    """Draws one line a series, the worst first.

    Args:
        readings: The record.
        chosen: The series to draw.
        badness: From the latest value of a series to its rank: the largest is drawn
            first. NaN and infinity come before all numbers.
        logarithmic: Whether zero and negative readings cannot be drawn.

    Returns:
        The traces, and the indices of those shown only on demand. Readings that a
        line cannot show (NaN, infinity, zero on a logarithmic axis) follow as
        crosses where they begin.
    """
    ranked = sorted(chosen, key=lambda series: -_rank(readings.latest(series), badness))
    traces = []
    crosses: list[tuple[int, float, str]] = []
    for place, series in enumerate(ranked):
        shown = place < SHOWN
        steps, _, values = readings.arrays(series)
        crosses += _crosses(label(series), steps, values, logarithmic)
        points = POINTS if shown else POINTS // 2
        traces.append(_line(series, *decimate(steps, values, points), place))
    if crosses:
        traces.append(_cross_trace(crosses))
    return traces, list(range(SHOWN, len(ranked)))


def label(series: Series) -> str:
    """Names the tensor of a series: its layer and, if it has one, its variable."""
    return "/".join(part for part in (series.layer, series.variable) if part)


def marks(name: str, steps: np.ndarray, values: np.ndarray) -> list[dict[str, Any]]:
    """Returns a trace of crosses where a single line is not finite, or no trace."""
    crosses = _crosses(name, steps, values, logarithmic=False)
    return [_cross_trace(crosses)] if crosses else []


def _rank(value: float, badness: Callable[[float], float]) -> float:
    return badness(value) if np.isfinite(value) else np.inf


def _line(
    series: Series, steps: np.ndarray, values: np.ndarray, place: int
) -> dict[str, Any]:
    return {
        "type": "scatter",
        # One reading makes no line.
        "mode": "lines" if len(steps) > 40 else "lines+markers",
        "name": plain(short(label(series))),
        "meta": plain(label(series)),
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


def _crosses(
    name: str, steps: np.ndarray, values: np.ndarray, logarithmic: bool
) -> list[tuple[int, float, str]]:
    drawn = np.isfinite(values)
    if logarithmic:
        drawn &= values > 0
    if drawn.all():
        return []
    starts = np.flatnonzero(~drawn & np.concatenate(([True], drawn[:-1])))
    known = np.flatnonzero(drawn)
    crosses = []
    for row in starts[:_MARKS_A_SERIES]:
        # At the height where the line breaks off, or where it will begin.
        before = np.searchsorted(known, row) - 1
        height = values[known[max(before, 0)]] if len(known) else 1.0
        crosses.append((int(steps[row]), float(height), f"{name}\0{values[row]:g}"))
    return crosses


def _cross_trace(crosses: list[tuple[int, float, str]]) -> dict[str, Any]:
    steps, heights, texts = zip(*crosses, strict=True)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "not finite or zero",
        "x": encode(np.array(steps)),
        "y": encode(np.array(heights)),
        "text": [
            "<br>becomes ".join(plain(part) for part in text.split("\0")[-2:])
            for text in texts
        ],
        "marker": {"symbol": "x-thin-open", "size": 9, "color": "@bad"},
        "hovertemplate": "%{text} at step %{x}<extra></extra>",
    }
