"""All trials of a search as one table."""

import os
from typing import TYPE_CHECKING, Any

from keras_trainkit.arguments import check_flag, received
from keras_trainkit.search.engine.progress import last_line
from keras_trainkit.search.engine.stored_state import damaged, read_state, read_trial
from keras_trainkit.search.engine.trial_record import read_trial_record

if TYPE_CHECKING:
    import pandas


def trials_frame(search: Any, *, histories: bool = False) -> "pandas.DataFrame":
    """Gives one row a trial, whatever state the search is in.

    Works while the search runs, after it, for a tuner that was started again, for a
    project directory that another process writes to, and for the tuners of
    KerasTuner itself as far as they keep anything.

    Args:
        search: A tuner, or the directory of a project.
        histories: Whether to add what each epoch brought.

    Returns:
        A data frame by trial, which prints all of its columns:

        - `trial` (its id), `status` (`COMPLETED`, `FAILED`, `RUNNING`, or `INVALID`
          if it will run again), `score`;
        - one column a hyperparameter, by its name; missing where it was not active;
        - `best_epoch` (from 0) and one column a metric: its value at that epoch;
        - `seconds` that the trial took, `failure` (the last line of what went
          wrong; all of it is `message` in the trial's `trial.json`);
        - with `histories`, `history`: from metric to its values by epoch, of the first
          execution, and `executions`: the same of all executions, in a list.

        A hyperparameter called like one of these columns is named `hp/…`, a metric
        called like anything before it `metric/…`.

    Raises:
        ValueError: If `histories` is no flag, there is no project in the directory, or
            a file of it is damaged.

    Example:
        ```python
        frame = trials_frame(tuner)
        print(frame.sort_values("score").head())
        ```
    """
    from keras_trainkit.search.trials_table import TrialsTable

    check_flag("histories", histories)
    rows = [
        _row(trial, directory)
        for trial, directory in sorted(
            _trials(search), key=lambda pair: (len(pair[0].trial_id), pair[0].trial_id)
        )
    ]
    names: dict[str, None] = dict.fromkeys(("trial", "status", "score"))
    for row in rows:
        names |= dict.fromkeys(row["hyperparameters"])
    names["best_epoch"] = None
    for row in rows:
        names |= dict.fromkeys(row["metrics"])
    names |= dict.fromkeys(("seconds", "failure"))
    if histories:
        names |= dict.fromkeys(("history", "executions"))
    table = [{**row["own"], **row["hyperparameters"], **row["metrics"]} for row in rows]
    return TrialsTable(table, columns=list(names))


def _row(trial: Any, directory: str) -> dict[str, dict[str, Any]]:
    executions, metadata = read_trial_record(directory)
    own = {
        "trial": trial.trial_id,
        "status": trial.status,
        "score": float("nan") if trial.score is None else float(trial.score),
        "best_epoch": None if trial.score is None else trial.best_step,
        "seconds": metadata.get("seconds", float("nan")),
        "failure": last_line(trial.message) or None,
        "history": executions[0] if executions else {},
        "executions": executions,
    }
    hyperparameters = {
        f"hp/{name}" if name in own else name: value
        for name, value in trial.hyperparameters.values.items()
    }
    taken = {*own, *hyperparameters}
    metrics = {
        f"metric/{name}" if name in taken else name: history.get_best_value()
        for name, history in trial.metrics.metrics.items()
    }
    return {"own": own, "hyperparameters": hyperparameters, "metrics": metrics}


def _trials(search: Any) -> list[tuple[Any, str]]:
    if isinstance(search, (str, os.PathLike)):
        return _stored_trials(os.fspath(search))
    trials = getattr(search.oracle, "trials", None)
    if trials is None:  # a worker: the trials are its chief's
        return _stored_trials(search.project_dir)
    return [
        (trial, search.get_trial_dir(trial_id))
        for trial_id, trial in list(trials.items())
    ]


def _stored_trials(directory: str) -> list[tuple[Any, str]]:
    path = os.path.join(directory, "oracle.json")
    if not os.path.isfile(path):
        raise ValueError(
            "`search` must be a tuner or the directory of a project. "
            + received("search", directory)
        )
    state = read_state(path, foreign=True)
    found = []
    for trial_id in _trial_ids(state, path):
        place = os.path.join(directory, f"trial_{trial_id}")
        file = os.path.join(place, "trial.json")
        foreign = "keras_trainkit" not in state
        found.append((read_trial(file, trial_id, foreign=foreign), place))
    return found


def _trial_ids(state: dict[str, Any], path: str) -> list[str]:
    found = state.get("start_order")
    if isinstance(found, list) and all(isinstance(one, str) for one in found):
        return found
    raise damaged(path, "it names no trials")
