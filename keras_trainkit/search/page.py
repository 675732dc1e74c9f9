"""The page of a search: from a tuner to plain data to one HTML file."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_trainkit.finding import Finding
from keras_trainkit.report.trials.page import write_search
from keras_trainkit.report.trials.results import Axis, SearchResults, Stage, Trial
from keras_trainkit.search.engine.progress import own_values
from keras_trainkit.search.engine.trial_record import read_trial_record
from keras_trainkit.search.ranges.edges import ZONE, edge_warnings, present_space
from keras_trainkit.search.ranges.positions import (
    LOWER,
    UPPER,
    is_logarithmic,
    is_range,
    options,
    value_at,
)
from keras_trainkit.search.tuners.coarse_to_fine_oracle import (
    EPOCHS,
    STAGE,
    CoarseToFineOracle,
)

if TYPE_CHECKING:
    from keras_tuner import Tuner

_STATUS = {"COMPLETED": "completed", "FAILED": "failed", "INVALID": "failed"}


def report(
    tuner: "Tuner", path: str | os.PathLike[str], *, title: str | None = None
) -> str:
    """Writes a search as one HTML page, while it runs or afterwards.

    On the page: the score against each hyperparameter on its own axis with the ends
    of its range, all hyperparameters at once, trials over time, learning curves of
    the ten best, tables of the best trials and of those that failed; ranges that are
    too narrow on top. It opens without a server and fetches nothing.

    Args:
        tuner: A tuner of this room or, as far as it keeps anything, of KerasTuner.
        path: The HTML file to write; missing directories are made.
        title: Heading; the name of the project if `None`.

    Returns:
        The path written.

    Raises:
        ValueError: If `tuner` is no tuner.

    Example:
        ```python
        tk.search.report(tuner, "search.html")
        ```
    """
    findings = edge_warnings(tuner)
    results = _results(tuner, findings)
    heading = title or str(getattr(tuner, "project_name", "") or "") or None
    return write_search(results, path, findings=findings, title=heading)


def _results(tuner: Any, findings: Sequence[Finding]) -> SearchResults:
    oracle = tuner.oracle
    space = {hp.name: hp for hp in reversed(oracle.get_space().space)}
    ordered = list(dict.fromkeys(hp.name for hp in oracle.get_space().space))
    crowded = _crowded(oracle, findings)
    trials = [_trial(tuner, trial) for trial in list(oracle.trials.values())]
    return SearchResults(
        oracle.objective.name,
        oracle.objective.direction == "max",
        [_axis(space[name], crowded.get(name, ())) for name in ordered],
        trials,
        _stages(oracle),
        {
            "tuner": type(tuner).__name__,
            "objective": f"{oracle.objective.direction} {oracle.objective.name}",
            "project": str(tuner.project_dir),
            "seed": oracle.seed,
            "trials at most": oracle.max_trials,
        },
    )


def _axis(hp: Any, crowded: Sequence[tuple[float, float]]) -> Axis:
    if not is_range(hp):
        single = [hp.min_value] if hasattr(hp, "min_value") else options(hp)
        return Axis(hp.name, options=single)
    low, high = float(hp.min_value), float(hp.max_value)
    return Axis(
        hp.name, low, high, logarithmic=is_logarithmic(hp), crowded=tuple(crowded)
    )


def _crowded(
    oracle: Any, findings: Sequence[Finding]
) -> dict[str, list[tuple[float, float]]]:
    """The outer part of every range whose best trials crowd there."""
    found: dict[str, list[tuple[float, float]]] = {}
    for hp in present_space(oracle)[0]:
        for end, inner in ((LOWER, ZONE), (UPPER, 1 - ZONE)):
            for finding in findings:
                crowds = finding.code == "range_too_narrow"
                if (
                    crowds
                    and finding.where == hp.name
                    and finding.evidence["end"] == end
                ):
                    outer = float(hp.min_value if end == LOWER else hp.max_value)
                    found.setdefault(hp.name, []).append((value_at(hp, inner), outer))
    return found


def _stages(oracle: Any) -> tuple[Stage, ...]:
    if not isinstance(oracle, CoarseToFineOracle):
        return (Stage("search"),)
    return tuple(
        Stage(
            f"stage {number + 1}, {stage.epochs} epoch" + "s" * (stage.epochs > 1),
            {
                hp.name: (float(hp.min_value), float(hp.max_value))
                for hp in oracle.space_of(number)
                if hasattr(hp, "min_value") and number < len(oracle.stage_spaces)
            },
        )
        for number, stage in enumerate(oracle.stages)
    )


def _trial(tuner: Any, trial: Any) -> Trial:
    executions, metadata = read_trial_record(tuner.get_trial_dir(trial.trial_id))
    values = trial.hyperparameters.values
    lengths = [
        max(map(len, history.values()), default=0) for history in executions if history
    ]
    return Trial(
        trial.trial_id,
        own_values(trial),
        trial.score if trial.status == "COMPLETED" else None,
        _STATUS.get(trial.status, "running"),
        int(values.get(STAGE, 1)) - 1,
        sum(lengths) if lengths else values.get(EPOCHS),
        metadata.get("seconds"),
        executions[0] if executions else {},
        trial.message or "",
    )
