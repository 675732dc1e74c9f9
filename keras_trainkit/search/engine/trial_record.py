"""The record of one trial: every metric of every epoch, in the trial's directory.

It is an ordinary `TrainingRecord`, so that the report, the diagnosis and the tables
of the rest of the package read a trial like any other run.
"""

import glob
import os
import time
from typing import Any

import keras

from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.record.vocabulary import logged_name, recorded_name

_FILE = "record.sqlite"


class TrialRecord:
    """Writes the record of a running trial.

    A record that an interrupted attempt left behind is replaced.

    Args:
        directory: The trial's directory.
        metadata: What to keep about the trial.
    """

    def __init__(self, directory: str, metadata: dict[str, Any]) -> None:
        for path in glob.glob(os.path.join(glob.escape(directory), f"{_FILE}*")):
            os.remove(path)
        self._record = TrainingRecord(os.path.join(directory, _FILE))
        self._record.metadata = {
            "keras": keras.__version__,
            "started": time.time(),
            **metadata,
        }
        self._started = time.monotonic()
        self._record.flush()

    def add_epoch(
        self, execution: int, epoch: int, step: int, logs: dict[str, Any]
    ) -> None:
        """Stores the metrics of an epoch at once."""
        for name, value in logs.items():
            self._record.add(
                recorded_name(name),
                value,
                step=step,
                epoch=epoch,
                training=_training(execution),
            )
        self._record.flush()

    def finish(self, **metadata: Any) -> None:
        """Adds how it ended and closes the file."""
        seconds = time.monotonic() - self._started
        self._record.metadata |= {"seconds": seconds, **metadata}
        self._record.close()


def read_trial_record(
    directory: str,
) -> tuple[list[dict[str, list[float]]], dict[str, Any]]:
    """Reads a trial's record, also while the trial runs.

    Returns:
        `(executions, metadata)`: for each execution the values of every metric by
        epoch; both empty if there is no record.
    """
    path = os.path.join(directory, _FILE)
    try:
        record = TrainingRecord.open(path)
    except ValueError:  # none, or its process died before it held anything
        return [], {}
    executions: list[dict[str, list[float]]] = []
    while True:
        training = _training(len(executions))
        metrics = {
            logged_name(series.measure): record.values(*series)[2].tolist()
            for series in record.series
            if series.training == training
        }
        if not metrics:
            break
        executions.append(metrics)
    return executions, record.metadata


def _training(execution: int) -> str:
    # The first bears no name, as the metrics of any other run.
    return "" if execution == 0 else str(execution + 1)
