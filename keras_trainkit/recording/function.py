"""The train function that is called while a run is measured."""

import dataclasses
import math
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_trainkit.keras_model.layers import measured_layers
from keras_trainkit.keras_model.optimizers import steps_per_update
from keras_trainkit.record.series import Series
from keras_trainkit.recording.arrival import waited
from keras_trainkit.recording.budget import Budget, Cost
from keras_trainkit.recording.calibration import Calibration
from keras_trainkit.recording.call import Call
from keras_trainkit.recording.request import Request
from keras_trainkit.recording.step import MeasuredStep
from keras_trainkit.train_step.shared_function import Make, SharedFunction

# Attribute of Keras' train function, which lives as long as what was traced may.
_KEPT = "_measured_by_keras_trainkit"
_MOST_KEPT = 4

Readings = tuple[np.ndarray, dict[Series, np.ndarray]]


class MeasuredFunction:
    """Calls Keras' train function made around a measured step.

    Args:
        model: The model.
        request: What is measured.
        on_full: Called when readings must be fetched before the next call; held
            weakly, a bound method.
    """

    def __init__(
        self, model: Any, request: Request, on_full: Callable[[], None]
    ) -> None:
        # Weak, for the model holds this function; both outlive every call of it.
        self._model: Callable[[], Any] = weakref.ref(model)
        self._on_full: Callable[[], Any] = weakref.WeakMethod(on_full)
        self.request = request
        # One for each set of channels that are due; `None` if the device has to tell.
        self._functions: dict[frozenset[str] | None, Any] = {}
        self._make: Make | None = None
        self._host_knows = False
        self._in_use = True
        self._wrapped = False
        self._calls = 0
        self._calibration: Calibration | None = None
        # Time of the first call, which traces, and of those after it.
        self._first_call: float | None = None
        self._later = 0.0
        self._open_call: _OpenCall | None = None
        self._ended_calls: list[tuple[int, float, float, float | None]] = []
        # Measures of calls that could not be told.
        self.untold: set[str] = set()
        self.step: MeasuredStep | None = None
        self.pending_steps = 0
        self.fetched_steps = 0
        self.cost = Cost()
        # Since the readings were last fetched; a call that raised counts as well.
        self.called = False

    @classmethod
    def of(
        cls,
        shared: SharedFunction,
        model: Any,
        request: Request,
        on_full: Callable[[], None],
        afresh: bool,
    ) -> "MeasuredFunction":
        """Returns the measured function of an earlier run, if one serves, or a new one.

        It serves as long as Keras would go on with its own train function, too, and
        the same is measured.

        Args:
            shared: What it becomes a part of.
            model: The model.
            request: What is measured.
            on_full: See `MeasuredFunction`.
            afresh: Whether steps are counted from 0.
        """
        kept: list[MeasuredFunction] = vars(shared.original).setdefault(_KEPT, [])
        for function in kept:
            if not function._in_use and function.request.in_steps == request.in_steps:
                function._go_on(request, on_full, afresh)
                return function
        function = cls(model, request, on_full)
        kept[:] = [*kept[1 - _MOST_KEPT :], function]
        return function

    def release(self) -> None:
        """Is told that the run is over; a later one may go on with it."""
        self._in_use = False
        for function in self._functions.values():
            function.close()

    def build(self, make: Make, wrapped: bool) -> "MeasuredFunction":
        """Makes the functions that are called, around a measured step.

        Args:
            make: Makes Keras' train function around a step.
            wrapped: Whether somebody else does more in the step.

        Returns:
            This object, ready to be called.
        """
        self._make = make
        # What others do in the step is traced with it, and not kept.
        if wrapped or self._wrapped:
            self._functions.clear()
        self._wrapped = wrapped
        if self.step is None:
            self._prepare()
        return self

    def __call__(self, iterator: Any) -> Any:
        """Trains on the next batch or batches, as Keras' own function would."""
        calibration = self._calibration if self._is_worth_it() else None
        if calibration is not None:
            calibration.before_call()
        self.called = True
        due = self._due()
        function = self._function_for(due)
        began = time.perf_counter()
        self._end_call(began)
        moment = time.time()  # of the clock that the device reads
        logs = function(iterator)
        self._open_call = _OpenCall(
            began, time.perf_counter(), bool(due), moment, function.waited
        )
        if calibration is not None:
            calibration.after_call()
        else:
            self._note_time(time.perf_counter() - began)
        self._count_call()
        return logs

    @property
    def every(self) -> dict[str, int]:
        """Steps between two readings of each channel that has a rhythm."""
        return {
            channel: self._calibration.interval
            if every == "auto" and self._calibration is not None
            else 1
            if every == "auto"
            else int(every)
            for channel, every in self.request.channels.items()
        }

    @property
    def done_twice(self) -> list[str]:
        """Why steps are done twice, once to be measured; empty if none are.

        Layers whose tensors would be computed otherwise if they were looked at, or
        another reason in words.
        """
        reasons = {
            reason
            for function in self._functions.values()
            if function.runs_twice
            for reason in function.reasons
        }
        labels = [layer.label for layer in measured_layers(self._model())]
        return sorted({_layer_in(reason, labels) for reason in reasons})

    def take_calls(self, arrivals: dict[int, float]) -> list[Readings]:
        """Reads the calls since the last time.

        Args:
            arrivals: When the data of each step arrived, as far as that is known.

        Returns:
            Steps and values; of a call of several steps the first.
        """
        if self._open_call is not None:
            self._end_call(self._open_call.returned)
        rows: dict[tuple[Series, ...], list[tuple[int, list[float]]]] = {}
        for first, seconds, began, wait in self._ended_calls:
            steps = self._model().steps_per_execution
            if wait is None and steps == 1 and first in arrivals:
                wait = min(waited(began, arrivals[first]), seconds)
            call = Call(steps, seconds, wait)
            pairs = [p for each in self.request.on("calls") for p in each.read(call)]
            series = tuple(column.series for column, _ in pairs)
            self.untold |= self._call_measures - {one.measure for one in series}
            numbers = [float(number) for _, number in pairs]
            rows.setdefault(series, []).append((first, numbers))
        self._ended_calls.clear()
        taken = []
        for series, own in rows.items():
            values = np.array([numbers for _, numbers in own])
            columns = {name: values[:, k] for k, name in enumerate(series)}
            taken.append((np.array([step for step, _ in own], np.int64), columns))
        return taken

    @property
    def _call_measures(self) -> set[str]:
        return {m.name for each in self.request.on("calls") for m in each.measures}

    def note_fetched(self) -> None:
        """Is told that all readings were fetched that waited on the device."""
        assert self.step is not None
        self.called = False
        self.pending_steps = 0
        self.fetched_steps = int(self.step.replicas[0].step.numpy())

    def _go_on(
        self, request: Request, on_full: Callable[[], None], afresh: bool
    ) -> None:
        self._in_use = True
        self.request = request
        self._on_full = weakref.WeakMethod(on_full)
        self._open_call = None
        self._ended_calls.clear()
        self.untold.clear()
        self.pending_steps = 0
        self.called = False
        if afresh:
            self._calls = self.fetched_steps = 0
            self.cost = Cost()
            if self.step is not None:
                self.step.restart()

    def _prepare(self) -> None:
        model = self._model()
        self.step = MeasuredStep(model, self.request)
        self._host_knows = (
            # Whether a call is one step, of which the host can tell what is due.
            model.steps_per_execution == 1
            and not model.run_eagerly
            and steps_per_update(model) == 1
        )
        automatic = [
            channel
            for channel, every in self.request.channels.items()
            if every == "auto"
        ]
        if automatic:
            steps = model.steps_per_execution
            self._calibration = Calibration(
                self.step,
                automatic,
                Budget(self.request.overhead).readings,
                unit=math.lcm(steps, steps_per_update(model)) // steps,
            )

    def _is_worth_it(self) -> bool:
        """Whether the run is long enough to make readings rare.

        Steps that do not read go through a function of their own, and to trace that
        takes about half as long as the first call did. So a short run reads in
        every step.
        """
        return self._first_call is not None and self._later > self._first_call / 2

    def _note_time(self, seconds: float) -> None:
        if self._first_call is None:
            self._first_call = seconds
        else:
            self._later += seconds

    def _due(self) -> frozenset[str] | None:
        assert self.step is not None
        if not self._host_knows:
            return None
        return frozenset(
            channel
            for channel, every in self.step.intervals.items()
            if self._calls % every == 0
        )

    def _function_for(self, due: frozenset[str] | None) -> Any:
        assert self.step is not None
        if due not in self._functions:
            own = self.step if due is None else self.step.with_due(due)
            assert self._make is not None
            self._functions[due] = self._make(own, light=due == frozenset())
        return self._functions[due]

    def _count_call(self) -> None:
        self._calls += 1
        steps = self._model().steps_per_execution
        self.pending_steps += steps
        assert self.step is not None
        if self.pending_steps + steps > min(one.room for one in self.step.replicas):
            on_full = self._on_full()
            if on_full is not None:
                on_full()

    def _end_call(self, now: float) -> None:
        """Takes the time of the call before this one."""
        if self._open_call is None:
            return
        call, self._open_call = self._open_call, None
        if self._host_knows or not self.request.channels:
            self.cost.add_call(call.returned - call.began, call.reads)
        if self.request.on("calls"):
            steps = self._model().steps_per_execution
            first = self.fetched_steps + self.pending_steps - steps
            self._ended_calls.append(
                (first, now - call.began, call.moment, call.waited)
            )


@dataclasses.dataclass(frozen=True)
class _OpenCall:
    """A call whose time is not over: the host may wait before it makes the next.

    Args:
        began: When it was made.
        returned: When it returned.
        reads: Whether readings were due in it.
        moment: When it was made, by the clock that the device reads.
        waited: How long it waited for its data, if the host took them.
    """

    began: float
    returned: float
    reads: bool
    moment: float
    waited: float | None


def _layer_in(name: str, labels: list[str]) -> str:
    """The layer that the name of an operation tells of, else the name itself."""
    for part in reversed(name.split("/")):
        # TensorFlow numbers the scopes of a layer that is called again.
        stem, _, number = part.rpartition("_")
        for label in (part, stem if number.isdigit() else part):
            if label in labels:
                return label
    return name
