"""Trials and spaces from plain data, and files of them that show any damage."""

import copy
import hashlib
import json
import os
from numbers import Real
from typing import Any

from keras_trainkit.files import read_json, write_json
from keras_trainkit.search.engine.keras_tuner import HyperParameters, Trial

FORMAT = 2
_CHECKSUM = "checksum"
_KINDS = ("Boolean", "Choice", "Fixed", "Float", "Int")
_TRIAL = {
    "trial_id": str,
    "hyperparameters": dict,
    "metrics": dict,
    "score": Real | None,
    "best_step": Real | None,
    "status": str,
    "message": str | None,
}


def space_from(config: Any) -> HyperParameters:
    """Makes the `HyperParameters` that `get_config` told of.

    Raises:
        ValueError: If the data have another form; nothing but hyperparameters is
            ever made of them.
    """
    if not _has(config, {"space": list, "values": dict}):
        raise ValueError("a space must have hyperparameters and values")
    for entry in config["space"]:
        known = _has(entry, {"class_name": str, "config": dict})
        conditions = entry["config"].get("conditions") if known else None
        if (
            not known
            or entry["class_name"] not in _KINDS
            or not isinstance(conditions, list)
            or any(
                not _has(one, {"class_name": str, "config": dict})
                or one["class_name"] != "Parent"
                for one in conditions
            )
        ):
            raise ValueError("a space must be made of hyperparameters of KerasTuner")
    try:
        return HyperParameters.from_config(copy.deepcopy(config))  # it changes it
    except Exception as error:  # its checks raise errors of many kinds
        raise ValueError(f"a hyperparameter is none: {error}") from error


def trial_from(state: Any) -> Trial:
    """Makes the `Trial` that `get_state` told of.

    Raises:
        ValueError: If the data have another form.
    """
    if not _has(state, _TRIAL):
        raise ValueError(f"a trial must have {', '.join(_TRIAL)}")
    space_from(state["hyperparameters"])
    try:
        trial = Trial.from_state(copy.deepcopy(state))
        for history in trial.metrics.metrics.values():
            if not all(isinstance(each, Real) for each in _values(history)):
                raise ValueError("its metrics are no numbers")
    except Exception as error:
        raise ValueError(f"a trial is none: {error}") from error
    return trial


def write_state(path: str, state: dict[str, Any]) -> None:
    """Writes a state in one step, with a sum that tells whether it is still whole."""
    write_json(path, {**state, _CHECKSUM: _sum(state)})


def read_state(path: str, *, foreign: bool = False) -> dict[str, Any]:
    """Reads what `write_state` wrote.

    Args:
        path: The file.
        foreign: Whether a file may be one of KerasTuner, which has no sum.

    Raises:
        ValueError: If the file is not there or not as it was written, with what can
            be done.
    """
    state = read_config(path)
    found = state.pop(_CHECKSUM, None)
    if found is None and foreign and state.get("keras_trainkit") != FORMAT:
        return state
    if found != _sum(state):
        raise damaged(path, "its checksum is not that of its content")
    return state


def read_config(path: str) -> dict[str, Any]:
    """Reads a JSON file that has no sum.

    Raises:
        ValueError: If it is not there or holds no JSON object.
    """
    try:
        state = read_json(path)
    except FileNotFoundError:
        raise damaged(path, "it is missing") from None
    except OSError as error:
        raise damaged(path, f"it cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, "it holds no JSON") from error
    if not isinstance(state, dict):
        raise damaged(path, "it holds no state")
    return state


def read_trial(path: str, trial_id: str, *, foreign: bool = False) -> Trial:
    """Reads the file of one trial; see `read_state`."""
    state = read_state(path, foreign=foreign)
    try:
        trial = trial_from(state)
    except ValueError as error:
        raise damaged(path, str(error)) from error
    if trial.trial_id != trial_id:
        raise damaged(path, f"it tells of trial {trial.trial_id}")
    return trial


def damaged(path: str, why: str) -> ValueError:
    """The error about a file that is not as it was written."""
    return ValueError(
        f"The file {path} is damaged: {why}. Put back a copy of it, or begin again "
        "with overwrite=True or another project_name; what the trials measured stays "
        f"readable in {os.path.join('trial_*', 'record.sqlite')}."
    )


def _sum(state: dict[str, Any]) -> str:
    # What was read from JSON gives the same text again, numbers included.
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]


def _has(data: Any, form: dict[str, Any]) -> bool:
    return isinstance(data, dict) and all(
        name in data and isinstance(data[name], kind) for name, kind in form.items()
    )


def _values(history: Any) -> list[Any]:
    return [value for each in history.get_history() for value in each.value]
