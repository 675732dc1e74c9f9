"""The train function that is called while a run is measured."""

import math
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from keras_trainkit.keras_model.optimizers import steps_per_update
from keras_trainkit.recording.calibration import Calibration
from keras_trainkit.recording.step import MeasuredStep
from keras_trainkit.train_step.shared_function import Make

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
        # One for each set of channels that are due; `None` if the device has to tell.
        self._functions: dict[frozenset[str] | None, Any] = {}
        self._make: Make | None = None
        self._host_knows = False
        self._calls = 0
        self._calibration: Calibration | None = None
        self.first_step = first_step
        self.step: MeasuredStep | None = None
        self.pending_steps = 0
        # Since the readings were last fetched; a call that raised counts as well.
        self.called = False

    def build(self, make: Make) -> "MeasuredFunction":
        """Makes the functions that are called, around a measured step.

        Args:
            make: Makes Keras' train function around a step.

        Returns:
            This object, ready to be called.
        """
        self._make = make
        self._functions.clear()
        if self.step is None:
            self._prepare()
        return self

    def __call__(self, iterator: Any) -> Any:
        """Trains on the next batch or batches, as Keras' own function would."""
        if self._calibration is not None:
            self._calibration.before_call()
        self.called = True
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

    def _prepare(self) -> None:
        self.step = MeasuredStep(self._model(), self._recorder().request)
        self._host_knows = self._can_host_know()
        automatic = [
            channel
            for channel, every in self.step.request.channels.items()
            if every == "auto"
        ]
        if automatic:
            model = self._model()
            steps = model.steps_per_execution
            self._calibration = Calibration(
                self.step,
                automatic,
                self.step.request.overhead,
                unit=math.lcm(steps, steps_per_update(model)) // steps,
            )

    def _can_host_know(self) -> bool:
        """Whether a call is one step, of which the host can tell what is due."""
        model = self._model()
        return (
            model.steps_per_execution == 1
            and not model.run_eagerly
            and steps_per_update(model) == 1
        )

    def _next_function(self) -> Any:
        assert self.step is not None
        step, due = self.step, None
        if self._host_knows:
            due = frozenset(
                channel
                for channel, every in step.intervals.items()
                if self._calls % every == 0
            )
        if due not in self._functions:
            own = step if due is None else step.with_due(due)
            assert self._make is not None
            self._functions[due] = self._make(own)
        return self._functions[due]

    def _count_call(self) -> None:
        self._calls += 1
        if self._calibration is not None:
            self._calibration.after_call()
        steps = self._model().steps_per_execution
        self.pending_steps += steps
        assert self.step is not None
        if self.pending_steps + steps > min(one.room for one in self.step.replicas):
            self._recorder().drain()
