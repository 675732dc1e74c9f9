"""Parallel coordinates: every trial as one line through all its values.

Plotly's own trace of that name draws with WebGL from code made at run time, which
the page's security policy forbids, and paper cannot show; these are plain lines.
"""

import math
from collections.abc import Sequence
from typing import Any

from keras_trainkit.report.drawing.specification import (
    Choice,
    Specification,
    plain,
    short,
)
from keras_trainkit.report.drawing.theme import SERIES_COLORS
from keras_trainkit.report.trials.results import Axis, SearchResults, Trial
from keras_trainkit.report.trials.words import hover, score_of, written

_NAMED = 5
_FAILED = -0.09


def draw(results: SearchResults) -> Specification | None:
    """Draws all trials that ended; `None` without a hyperparameter or a score."""
    ranked = results.ranked()
    if not results.axes or not ranked:
        return None
    axes = [_Scale(results, axis) for axis in results.axes]
    scores = _Scores(ranked, results.maximised)
    quarter = max(_NAMED, len(ranked) // 4)
    groups = [
        (ranked[quarter:], "@axis", 1.0, "others"),
        (ranked[_NAMED:quarter], "@train_faint", 1.5, "best quarter"),
        (results.failed(), "@bad", 1.0, "failed"),
    ]
    traces = [
        _lines(results, axes, scores, trials, name, {"width": width, "color": color})
        for trials, color, width, name in groups
    ]
    traces[2]["line"]["dash"] = "dot"
    for place, trial in reversed(list(enumerate(ranked[:_NAMED]))):
        line = {"width": 3, "color": f"@series{place % SERIES_COLORS}"}
        name = f"{place + 1}. trial {plain(short(trial.name))}: {score_of(trial)}"
        traces.append(_lines(results, axes, scores, [trial], name, line))
    best = list(range(3, len(traces)))
    every = list(range(len(traces)))
    options: list[dict[str, Any]] = [
        {"label": "all that completed", "traces": [0, 1, *best]},
        {"label": "the best quarter", "traces": [1, *best]},
        {"label": f"the best {len(best)}", "traces": best},
    ]
    if results.failed():
        options.append({"label": "failed ones too", "traces": every})
    return Specification(
        "parallel",
        "All hyperparameters at once",
        "Every line is a trial: its values from left to right, its score at the "
        "right, the best on top. Where the coloured lines run together, the value "
        "matters.",
        traces,
        _layout(results, axes, scores),
        choice=Choice("Show", options),
        wide=True,
    )


class _Scale:
    """Places on one axis, from 0 at the bottom to 1 at the top."""

    def __init__(self, results: SearchResults, axis: Axis) -> None:
        self.axis = axis
        self.names = [written(option) for option in axis.options]
        if axis.low is None or axis.high is None:
            self.low = self.high = 0.0
            return
        tried = [
            float(trial.values[axis.name])
            for trial in results.trials
            if axis.name in trial.values
        ]
        self.low, self.high = min([axis.low, *tried]), max([axis.high, *tried])
        self.logarithmic = axis.logarithmic and self.low > 0

    def place(self, trial: Trial) -> float | None:
        """Where the trial's line crosses; `None` if it has no value here."""
        if self.axis.name not in trial.values:
            return None
        value = trial.values[self.axis.name]
        if self.axis.low is None:
            name = written(value)
            # A value of before the options were changed has no place.
            if name not in self.names:
                return None
            return (self.names.index(name) + 0.5) / len(self.names)
        return _between(self.low, self.high, float(value), self.logarithmic)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and what to write there."""
        if self.axis.low is None:
            count = len(self.names)
            step = math.ceil(count / 12)
            return [
                ((index + 0.5) / count, short(name, 14))
                for index, name in enumerate(self.names)
                if index % step == 0
            ]
        values = [self.low, self.high]
        if self.logarithmic:
            first, last = math.log10(self.low), math.log10(self.high)
            step = max(1, round((last - first) / 5))
            values += [
                10.0**power
                for power in range(math.ceil(first), math.floor(last) + 1, step)
            ]
        else:
            values += [
                self.low + share * (self.high - self.low) for share in (0.25, 0.5, 0.75)
            ]
        marks: list[tuple[float, str]] = []
        for value in values:
            place = _between(self.low, self.high, value, self.logarithmic)
            # The ends come first and keep their room.
            if all(abs(place - other) > 0.06 for other, _ in marks):
                marks.append((place, f"{value:.3g}"))
        return marks


class _Scores:
    """Places on the axis of scores: by factors if they span many, the best on top."""

    def __init__(self, ranked: Sequence[Trial], maximised: bool) -> None:
        self.best, self.worst = (
            trial.score or 0.0 for trial in (ranked[0], ranked[-1])
        )
        low, high = sorted((self.best, self.worst))
        self.logarithmic = not maximised and low > 0 and high > 30 * low

    def place(self, trial: Trial) -> float:
        """Where the trial's line ends."""
        if trial.score is None:
            return _FAILED
        return _between(self.worst, self.best, trial.score, self.logarithmic)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and what to write there."""
        if self.best == self.worst:
            return [(0.5, f"{self.best:.4g}")]
        middle = (self.best + self.worst) / 2
        if self.logarithmic:
            middle = math.sqrt(self.best) * math.sqrt(self.worst)
        ends = ((0.0, self.worst), (1.0, self.best))
        return [(0.5, f"{middle:.3g}"), *((at, f"{one:.4g}") for at, one in ends)]


def _lines(
    results: SearchResults,
    axes: Sequence[_Scale],
    scores: _Scores,
    trials: Sequence[Trial],
    name: str,
    line: dict[str, Any],
) -> dict[str, Any]:
    """One trace for several trials, parted by gaps."""
    x: list[int | None] = []
    y: list[float | None] = []
    text: list[str] = []
    for trial in trials:
        crossings = [*(axis.place(trial) for axis in axes), scores.place(trial)]
        x += [*range(len(crossings)), None]
        y += [*(one if one is None else round(one, 5) for one in crossings), None]
        text += [hover(results, trial)] * len(crossings) + [""]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "meta": name,
        "x": x,
        "y": y,
        "line": line,
        "text": text,
        "hovertemplate": "%{text}<extra></extra>",
    }


def _layout(
    results: SearchResults, axes: Sequence[_Scale], scores: _Scores
) -> dict[str, Any]:
    last = len(axes)
    annotations = []
    names = [axis.axis.name for axis in axes] + [results.objective]
    length = min(24, max(6, 130 // len(names)))
    ticks = [axis.ticks() for axis in axes] + [scores.ticks()]
    for column, marks in enumerate(ticks):
        for place, words in marks:
            annotations.append(
                {
                    "x": column,
                    "y": place,
                    "text": plain(words),
                    "showarrow": False,
                    "xanchor": "left" if column == last else "right",
                    "xshift": 6 if column == last else -6,
                    "font": {"size": 11, "color": "@muted"},
                    "bgcolor": "@surface",
                    "opacity": 0.9,
                }
            )
    line = {"type": "line", "y0": 0, "y1": 1, "line": {"width": 1, "color": "@muted"}}
    return {
        "xaxis": {
            "range": [-0.45, last + 0.35],
            "tickvals": list(range(last + 1)),
            "ticktext": [f"<b>{plain(short(name, length))}</b>" for name in names],
            "tickangle": 0,
            "side": "top",
            "showgrid": False,
            "zeroline": False,
            "ticks": "",
            "fixedrange": True,
        },
        "yaxis": {
            "range": [-0.14 if results.failed() else -0.04, 1.04],
            "visible": False,
            "fixedrange": True,
        },
        "shapes": [line | {"x0": column, "x1": column} for column in range(last + 1)],
        "annotations": annotations,
        "legend": {
            "orientation": "h",
            "y": -0.02,
            "yanchor": "top",
            "x": 0,
            "traceorder": "reversed",
        },
        "margin": {"l": 20, "r": 20, "t": 40, "b": 20},
    }


def _between(low: float, high: float, value: float, logarithmic: bool) -> float:
    if low == high:
        return 0.5
    if logarithmic:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)
