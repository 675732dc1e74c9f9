"""Points and strips that several figures of a search share."""

from collections.abc import Callable
from typing import Any

from keras_trainkit.report.drawing.specification import encode, plain, short
from keras_trainkit.report.drawing.theme import SERIES_COLORS
from keras_trainkit.report.trials.results import SearchResults, Trial
from keras_trainkit.report.trials.words import hover

BEST = 10


def points(
    results: SearchResults, place: Callable[[Trial], Any]
) -> list[dict[str, Any]]:
    """Scores by place, one trace a stage, the ten best ringed.

    Args:
        results: The search.
        place: Where a trial stands on the horizontal axis.
    """
    ranked = results.ranked()
    traces = []
    for index, stage in enumerate(results.stages):
        members = [trial for trial in ranked if trial.stage == index]
        if members:
            traces.append(
                _points(results, members, place, f"@series{index % SERIES_COLORS}")
                | {"name": plain(short(stage.label)), "meta": f"stage {index}"}
            )
    ring = {"symbol": "circle-open", "size": 13, "line": {"width": 2, "color": "@good"}}
    best = ranked[:BEST]
    if best:
        traces.append(
            _points(results, best, place, "@good")
            | {
                "name": f"the best {len(best)}",
                "meta": "best",
                "marker": ring | {"color": "@good"},
                "hoverinfo": "skip",
            }
        )
    return traces


def failures(
    results: SearchResults, place: Callable[[Trial], Any]
) -> list[dict[str, Any]]:
    """Crosses in a strip of their own, which `strip_axis` makes room for."""
    failed = results.failed()
    if not failed:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "failed",
            "meta": "failed",
            "x": _numbers([place(trial) for trial in failed]),
            "y": [0] * len(failed),
            "yaxis": "y2",
            "marker": {"symbol": "x", "size": 8, "color": "@bad"},
            "text": [hover(results, trial) for trial in failed],
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]


def strip_axis() -> dict[str, Any]:
    """The strip for failed trials, at the foot of the figure."""
    return {
        "domain": [0, 0.08],
        "range": [-1, 1],
        "tickvals": [0],
        "ticktext": ["failed"],
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"color": "@bad"},
    }


def _points(
    results: SearchResults,
    trials: list[Trial],
    place: Callable[[Trial], Any],
    color: str,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": _numbers([place(trial) for trial in trials]),
        "y": encode([trial.score for trial in trials]),
        "marker": {"size": 7, "opacity": 0.8, "color": color},
        "text": [hover(results, trial) for trial in trials],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _numbers(places: list[Any]) -> Any:
    """Packed if they are numbers; names of categories stay as they are."""
    return places if any(isinstance(one, str) for one in places) else encode(places)
