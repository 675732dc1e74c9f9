"""The train function that Keras calls while a run is measured."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from keras_trainkit.recording.calibration import Calibration
from keras_trainkit.recording.step import MeasuredStep

if TYPE_CHECKING:
    from keras_trainkit.recording.recorder import Recorder


class MeasuredFunction:
    """Takes the place of `model.train_function`; is made when it is first called.

    By then all callbacks have joined, so that the step is traced once for all.

    Args:
        recorder: Who wants the readings.
        model: The model.
        first_step: Steps that the run had done before.
    """

    def __init__(self, recorder: "Recorder", model: Any, first_step: int) -> None:
        # Weak, for the model holds this function; both outlive every call of it.
        self._recorder: Callable[[], Any] = weakref.ref(recorder)
        self._model: Callable[[], Any] = weakref.ref(model)
        self._function: Any = None
        self._calibration: Calibration | None = None
        self.first_step = first_step
        self.step: MeasuredStep | None = None
        self.pending_steps = 0

    def __call__(self, iterator: Any) -> Any:
        """Trains on the next batch or batches, as Keras' own function would."""
        try:
            if self._function is None:
                self._make()
            if self._calibration is not None:
                self._calibration.before_call()
            logs = self._function(iterator)
            self._count_call()
        except (StopIteration, tf.errors.OutOfRangeError):
            raise  # the data have ended, which is no failure
        except BaseException:
            recorder = self._recorder()
            if recorder is not None:
                recorder.stop("interrupted")
            raise
        return logs

    @property
    def every(self) -> dict[str, int]:
        """Steps between two readings of the channels "updates" and "layers"."""
        if self.step is None:
            return {}
        request = self.step.request
        found = {"updates": request.update_every, "layers": request.layer_every}
        return {
            channel: self._calibration.interval
            if every == "auto" and self._calibration is not None
            else int(every)
            for channel, every in found.items()
            if every is not None
        }

    def _make(self) -> None:
        model, recorder = self._model(), self._recorder()
        self.step = MeasuredStep(model, recorder.request)
        make = type(model).make_train_function
        # Keras makes its function around whatever `train_step` is at that moment.
        own_step = model.__dict__.get("train_step")
        model.__dict__["train_step"] = self.step
        try:
            make(model, force=True)
            self._function = model.train_function
        finally:
            del model.__dict__["train_step"]
            if own_step is not None:
                model.__dict__["train_step"] = own_step
            model.train_function = self
        automatic = [
            channel
            for channel, every in (
                ("updates", self.step.request.update_every),
                ("layers", self.step.request.layer_every),
            )
            if every == "auto"
        ]
        if automatic:
            self._calibration = Calibration(
                self.step, automatic, self.step.request.overhead
            )

    def _count_call(self) -> None:
        if self._calibration is not None:
            self._calibration.after_call()
        steps = self._model().steps_per_execution
        self.pending_steps += steps
        if self.pending_steps + steps > self._room():
            self._recorder().drain()

    def _room(self) -> int:
        """Steps that the fullest ring takes for sure before it writes over rows."""
        return min(
            ring.capacity
            for replica in (self.step.replicas if self.step else ())
            for ring in replica.rings.values()
        )
