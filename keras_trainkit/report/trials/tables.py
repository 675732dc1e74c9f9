"""The tables of trials: the best first, and those that failed."""

from typing import Any, NamedTuple

from keras_trainkit.report.trials.results import SearchResults, Trial
from keras_trainkit.report.trials.words import score_of, written


class Cell(NamedTuple):
    """A value as written and, of a number, as sorted by."""

    text: str
    key: float | None = None


class Row(NamedTuple):
    """A trial and its cells."""

    trial: str
    cells: list[Cell]


class Failure(NamedTuple):
    """A trial that failed: what it tried, why it failed, and the whole story."""

    trial: str
    values: str
    reason: str
    story: str


def columns(results: SearchResults) -> list[str]:
    """Headings of the table of completed trials."""
    return [
        results.objective,
        *(axis.name for axis in results.axes),
        *(["stage"] if len(results.stages) > 1 else []),
        "epochs",
        "seconds",
    ]


def rows(results: SearchResults) -> list[Row]:
    """Completed trials, the best first."""
    return [Row(trial.name, _cells(results, trial)) for trial in results.ranked()]


def failures(results: SearchResults) -> list[Failure]:
    """Failed trials in their order."""
    return [
        Failure(
            trial.name,
            ", ".join(
                f"{name}={written(value)}" for name, value in trial.values.items()
            ),
            reason(trial.message),
            trial.message,
        )
        for trial in results.failed()
    ]


def reason(message: str) -> str:
    """The line of a traceback that says what happened."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[-1] if lines else "not told"


def _cells(results: SearchResults, trial: Trial) -> list[Cell]:
    stage = [Cell(results.stages[trial.stage].label, float(trial.stage))]
    return [
        Cell(score_of(trial), trial.score),
        *(_cell(trial.values.get(axis.name)) for axis in results.axes),
        *(stage if len(results.stages) > 1 else []),
        _cell(trial.epochs),
        _cell(None if trial.seconds is None else round(trial.seconds, 1)),
    ]


def _cell(value: Any) -> Cell:
    if value is None:
        return Cell("")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(written(value), float(value) if number else None)
