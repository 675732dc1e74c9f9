"""The train function that is called while a run is measured."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from keras_trainkit.recording.calibration import Calibration
from keras_trainkit.recording.shared_function import Make
from keras_trainkit.recording.step import MeasuredStep

if TYPE_CHECKING:
    from keras_trainkit.recording.recorder import Recorder


class MeasuredFunction:
    """Calls Keras' train function made around a measured step.

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
        self._light: Any = None
        self._calls = 0
        self._calibration: Calibration | None = None
        self.first_step = first_step
        self.step: MeasuredStep | None = None
        self.pending_steps = 0

    def build(self, make: Make) -> "MeasuredFunction":
        """Makes the functions that are called, around a measured step.

        Args:
            make: Makes Keras' train function around a step.

        Returns:
            This object, ready to be called.
        """
        self.step = MeasuredStep(self._model(), self._recorder().request)
        self._function = make(self.step)
        if self._is_worth_a_second_trace():
            self._light = make(self.step.light)
        automatic = [
            channel
            for channel, every in self.step.request.channels.items()
            if every == "auto"
        ]
        if automatic:
            self._calibration = Calibration(
                self.step, automatic, self.step.request.overhead
            )
        return self

    def __call__(self, iterator: Any) -> Any:
        """Trains on the next batch or batches, as Keras' own function would."""
        if self._calibration is not None:
            self._calibration.before_call()
        logs = self._next_function()(iterator)
        self._count_call()
        return logs

    @property
    def every(self) -> dict[str, int]:
        """Steps between two readings of the channels "updates" and "layers"."""
        if self.step is None:
            return {}
        return {
            channel: self._calibration.interval
            if every == "auto" and self._calibration is not None
            else int(every)
            for channel, every in self.step.request.channels.items()
        }

    def _is_worth_a_second_trace(self) -> bool:
        """Whether the host can tell beforehand that no reading is due in a call."""
        model, request = self._model(), self._recorder().request
        inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        return (
            any(every != 1 for every in request.channels.values())
            and model.steps_per_execution == 1
            and not model.run_eagerly
            and not getattr(inner, "gradient_accumulation_steps", None)
        )

    def _next_function(self) -> Any:
        # Even a reading that is skipped costs: the branches and what they hold on to.
        if self._light is None or self.step is None:
            return self._function
        due = any(self._calls % every == 0 for every in self.step.intervals.values())
        return self._function if due else self._light

    def _count_call(self) -> None:
        self._calls += 1
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
