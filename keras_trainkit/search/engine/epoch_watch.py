"""What a tuner does during a training: records, checks and keeps the best epoch."""

import math
from typing import Any

import keras

from keras_trainkit.search.engine.averaging import Averaging, applied
from keras_trainkit.search.engine.outcome import check_finite
from keras_trainkit.search.engine.trainer import Trainer
from keras_trainkit.search.engine.trial_record import TrialRecord


class EpochWatch(keras.callbacks.Callback):
    """Records every epoch of one execution and saves the weights of the best one.

    Args:
        tuner: The tuner, whose `on_epoch_begin` and `on_epoch_end` are called.
        trial: The trial that runs.
        execution: Which training of the trial this is, from 0.
        record: The `TrialRecord`, or `None`.
        best_path: Where the weights of the best epoch go.
        averaging: The callback whose average is scored, if one is: then its weights
            are the ones saved.
    """

    def __init__(
        self,
        tuner: Trainer,
        trial: Any,
        execution: int,
        record: TrialRecord | None,
        best_path: str,
        averaging: Averaging | None = None,
    ) -> None:
        super().__init__()
        self._tuner = tuner
        self._trial = trial
        self._execution = execution
        self._record = record
        self._best_path = best_path
        self._averaging = averaging
        self._objective = tuner.oracle.objective
        self._best = math.inf if self._objective.direction == "min" else -math.inf

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Calls the tuner's hook."""
        self._tuner.on_epoch_begin(self._trial, self.model, epoch, logs=logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Records the epoch and saves the weights if it is the best so far."""
        logs = logs or {}
        numbers = {name: float(value) for name, value in logs.items()}
        if self._record is not None:
            self._record.add_epoch(
                self._execution, epoch, self._last_step(epoch), numbers
            )
        if not self._objective.has_value(numbers):
            self._save(self._best_path)  # `fit` computes the objective afterwards
        else:
            value = float(self._objective.get_value(numbers))
            if self._objective.better_than(value, self._best):
                self._best = value
                self._save(self._best_path)
        self._tuner.on_epoch_end(self._trial, self.model, epoch, logs=logs)
        # Nothing comes back from NaN: the rest of the epochs would be lost time.
        if not math.isfinite(numbers.get("loss", 0.0)):
            check_finite(numbers, self._objective, epoch)

    def _last_step(self, epoch: int) -> int:
        iterations = getattr(self.model.optimizer, "iterations", None)
        return epoch if iterations is None else int(iterations.numpy()) - 1

    def _save(self, path: str) -> None:
        with applied(self._averaging):
            self.model.save_weights(path)


class LastWeights(keras.callbacks.Callback):
    """Saves the weights at the end, for a training that goes on later.

    To be called before callbacks that leave other weights behind than the last, such
    as the best or averaged ones.

    Args:
        path: Where the weights go.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def on_train_end(self, logs: Any = None) -> None:
        """Saves the weights."""
        self.model.save_weights(self._path)


class BatchHooks(keras.callbacks.Callback):
    """Calls the batch hooks of a tuner that has some."""

    def __init__(self, tuner: Trainer, trial: Any) -> None:
        super().__init__()
        self._tuner = tuner
        self._trial = trial

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Calls the tuner's hook."""
        self._tuner.on_batch_begin(self._trial, self.model, batch, logs)

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """Calls the tuner's hook."""
        self._tuner.on_batch_end(self._trial, self.model, batch, logs)
