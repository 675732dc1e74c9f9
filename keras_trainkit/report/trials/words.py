"""Values, scores and trials in words."""

from typing import Any

from keras_trainkit.report.drawing.specification import plain, short
from keras_trainkit.report.trials.results import SearchResults, Trial


def written(value: Any) -> str:
    """A hyperparameter's value for a reader: three digits of a number."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)


def score_of(trial: Trial) -> str:
    """The score with four digits, or how the trial ended."""
    return trial.status if trial.score is None else f"{trial.score:.4g}"


def hover(results: SearchResults, trial: Trial) -> str:
    """What a figure says of a trial under the pointer."""
    lines = [
        f"<b>trial {plain(short(trial.name))}</b>",
        f"{plain(results.objective)}: {score_of(trial)}",
    ]
    if len(results.stages) > 1:
        lines.append(plain(results.stages[trial.stage].label))
    lines += [
        f"{plain(short(name))}: {plain(short(written(value)))}"
        for name, value in list(trial.values.items())[:12]
    ]
    return "<br>".join(lines)
