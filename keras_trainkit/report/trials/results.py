"""The trials of a search as plain data: all that its page is drawn from."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Axis:
    """A hyperparameter and where its values may lie.

    Args:
        name: Its name.
        low: Lower end of the range; `None` if it has options instead.
        high: Upper end of the range; `None` if it has options instead.
        logarithmic: Whether it is drawn by factors.
        options: The values of one that has no range, in their order.
        crowded: Intervals at its ends in which the best trials crowd.
    """

    name: str
    low: float | None = None
    high: float | None = None
    logarithmic: bool = False
    options: Sequence[Any] = ()
    crowded: Sequence[tuple[float, float]] = ()


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of the search with ranges of its own.

    Args:
        label: Its name for a reader.
        ranges: Ends of its ranges by hyperparameter.
    """

    label: str
    ranges: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Trial:
    """One setting that was tried.

    Args:
        name: Its identifier.
        values: Hyperparameters by name, only those that were active.
        score: Value of the objective; `None` unless the trial completed.
        status: "completed", "failed" or "running".
        stage: Index of its stage.
        epochs: Epochs trained; `None` if unknown.
        seconds: How long it took; `None` if unknown.
        curves: Metric by epoch, by name.
        message: Why it failed.
    """

    name: str
    values: Mapping[str, Any]
    score: float | None = None
    status: str = "completed"
    stage: int = 0
    epochs: int | None = None
    seconds: float | None = None
    curves: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)
    message: str = ""


@dataclasses.dataclass(frozen=True)
class SearchResults:
    """A search, finished or not.

    Args:
        objective: Name of what was optimised.
        maximised: Whether more of it is better.
        axes: The hyperparameters.
        trials: In the order in which they started.
        stages: Its parts, at least one.
        facts: What else is known about it.
    """

    objective: str
    maximised: bool
    axes: Sequence[Axis]
    trials: Sequence[Trial]
    stages: Sequence[Stage] = (Stage("search"),)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def ranked(self) -> list[Trial]:
        """Trials with a finite score, the best first."""
        scored = [
            trial
            for trial in self.trials
            if trial.score is not None and math.isfinite(trial.score)
        ]
        sign = -1.0 if self.maximised else 1.0
        return sorted(scored, key=lambda trial: sign * (trial.score or 0.0))

    def failed(self) -> list[Trial]:
        """Trials that failed, in their order."""
        return [trial for trial in self.trials if trial.status == "failed"]

    def score_axis(self) -> dict[str, Any]:
        """Axis settings for scores: by factors where these span many."""
        scores = [trial.score or 0.0 for trial in self.ranked()]
        wide = bool(scores) and min(scores) > 0 and max(scores) > 30 * min(scores)
        return {"type": "log"} if wide and not self.maximised else {}

    def can_be_logarithmic(self) -> bool:
        """Whether every score is above 0."""
        return all((trial.score or 0.0) > 0 for trial in self.ranked())
