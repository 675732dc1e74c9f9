"""The learning curves of the best trials."""

from typing import Any

from keras_trainkit.report.drawing.specification import (
    Choice,
    Specification,
    encode,
    plain,
    short,
)
from keras_trainkit.report.drawing.theme import SERIES_COLORS
from keras_trainkit.report.trials.marks import BEST
from keras_trainkit.report.trials.results import SearchResults
from keras_trainkit.report.trials.words import score_of

_DASHES = ("solid", "dash")


def draw(results: SearchResults) -> Specification | None:
    """Draws the ten best; `None` if no trial kept its epochs."""
    best = [trial for trial in results.ranked()[:BEST] if trial.curves]
    metrics = list(dict.fromkeys(name for trial in best for name in trial.curves))
    if not metrics:
        return None
    metrics.sort(key=lambda name: name != results.objective)
    traces: list[dict[str, Any]] = []
    options: list[dict[str, Any]] = []
    for metric in metrics:
        shown = []
        for place, trial in enumerate(best):
            if metric not in trial.curves:
                continue
            values = trial.curves[metric]
            shown.append(len(traces))
            name = f"{place + 1}. trial {short(trial.name)}: {score_of(trial)}"
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": plain(name),
                    "meta": f"{metric} {trial.name}",
                    "x": encode(range(len(values))),
                    "y": encode([float(value) for value in values]),
                    "marker": {"size": 5},
                    "line": {
                        "width": 2,
                        "color": f"@series{place % SERIES_COLORS}",
                        "dash": _DASHES[place // SERIES_COLORS],
                    },
                }
            )
        title = {"yaxis.title": {"text": plain(short(metric))}}
        options.append({"label": metric, "traces": shown, "layout": title})
    return Specification(
        "curves",
        "Learning curves of the best",
        "Curves that still improve at their end ask for more epochs; curves that get "
        "worse again were trained too long or too fast.",
        traces,
        {
            "xaxis": {"title": {"text": "epoch"}, "rangemode": "tozero"},
            "yaxis": {"title": {"text": plain(short(metrics[0]))}},
            "showlegend": True,
        },
        choice=Choice("Metric", options) if len(options) > 1 else None,
        logarithmic="yaxis",
        wide=True,
    )
