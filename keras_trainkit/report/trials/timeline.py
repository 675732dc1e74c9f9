"""The trials in their order, and the best score so far."""

from typing import Any

from keras_trainkit.report.drawing.specification import (
    Specification,
    encode,
    plain,
    short,
)
from keras_trainkit.report.trials.marks import failures, points, strip_axis
from keras_trainkit.report.trials.results import SearchResults


def draw(results: SearchResults) -> Specification | None:
    """Draws the search over time; `None` before a trial has ended."""
    if not results.ranked() and not results.failed():
        return None
    order = {trial.name: index + 1 for index, trial in enumerate(results.trials)}
    better = max if results.maximised else min
    best: list[float] = []
    steps: list[int] = []
    scored = {trial.name for trial in results.ranked()}
    for trial in results.trials:
        if trial.name in scored and trial.score is not None:
            best.append(better(best[-1], trial.score) if best else trial.score)
            steps.append(order[trial.name])
    traces: list[dict[str, Any]] = []
    if best:
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "best so far",
                "meta": "best so far",
                "x": encode([*steps, len(results.trials)]),
                "y": encode([*best, best[-1]]),
                "line": {"shape": "hv", "width": 2, "color": "@good"},
                "hoverinfo": "skip",
            }
        )
    traces += points(results, lambda trial: order[trial.name])
    traces += failures(results, lambda trial: order[trial.name])
    layout: dict[str, Any] = {
        "xaxis": {
            "title": {"text": "trial"},
            "range": [0, len(results.trials) + 1],
            "anchor": "y2" if results.failed() else "y",
        },
        "yaxis": {
            "title": {"text": plain(short(results.objective))},
            "domain": [0.12 if results.failed() else 0, 1],
            **results.score_axis(),
        },
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    }
    if results.failed():
        layout["yaxis2"] = strip_axis()
    return Specification(
        "timeline",
        "Trials over time",
        "A line that has long been flat says that more trials of this kind would "
        "hardly help.",
        traces,
        layout,
        logarithmic="yaxis" if results.can_be_logarithmic() else "",
        wide=len(results.axes) % 2 == 0,
    )
