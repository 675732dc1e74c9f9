"""What all monitors share: they join a recorder and read its record."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.recording.recorder import Recorder
from keras_trainkit.recording.request import Request


class Monitor(keras.callbacks.Callback):
    """A callback that measures; subclasses say what, and read it once an epoch.

    Monitors on one model share one recorder and one record, so that using several
    costs no more than using the sum of what they measure. None defines a hook that
    Keras calls at every batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._recorder: Recorder | None = None

    @property
    def record(self) -> TrainingRecord:
        """The `TrainingRecord` of the latest run.

        Raises:
            RuntimeError: If no training has begun yet.
        """
        if self._recorder is None:
            raise RuntimeError(
                f"`{type(self).__name__}.record` exists once `fit` has begun. Pass "
                "the callback to `model.fit(..., callbacks=[...])` first."
            )
        return self._recorder.record

    def request(self) -> Request:
        """Says what this monitor needs measured."""
        return Request()

    def record_path(self) -> str | None:
        """Says where the record is to be kept, `None` for memory only."""
        return None

    def begin(self) -> None:
        """Resets the state of the monitor; a run is about to begin."""

    def read_epoch(self, epoch: int, logs: dict[str, Any]) -> None:
        """Reads what an epoch has brought; `logs` may be added to."""

    def finish(self) -> None:
        """Does what is left when training has ended."""

    def interrupted(self) -> None:
        """Does what is left when a run has failed or was interrupted."""

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Joins the recorder of the run."""
        if self._recorder is not None:
            self._recorder.close()
        self.begin()
        self._recorder = Recorder.join(
            self.model, self, self.request(), self.record_path()
        )

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Tells the recorder where the run is."""
        self._joined().begin_epoch(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Brings the readings home and reads them."""
        self._joined().end_epoch(epoch, logs)
        self.read_epoch(epoch, {} if logs is None else logs)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Leaves the recorder."""
        self.finish()
        self._joined().leave(self)

    def _joined(self) -> Recorder:
        if self._recorder is None:
            raise RuntimeError(
                f"`{type(self).__name__}` works inside `model.fit` only; "
                "`on_train_begin` was never called."
            )
        return self._recorder


def check_every(value: Any) -> Any:
    """Returns `every` if it is an integer >= 1 or "auto", else says why not."""
    if value == "auto":
        return value
    if isinstance(value, str):
        raise ValueError(
            f'`every` must be an integer >= 1 or "auto". {received("every", value)}'
        )
    return check_integer("every", value, minimum=1)


def check_overhead(value: Any) -> float:
    """Returns `overhead` if it is a share of the running time, else says why not."""
    return check_number("overhead", value, 0.0, 1.0, open_minimum=True)
