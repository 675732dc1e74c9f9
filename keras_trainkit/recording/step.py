"""The measured train step: takes the place of the model's own while it is traced."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from keras_trainkit.keras_model.layers import (
    MeasuredLayer,
    all_layers,
    measured_layers,
)
from keras_trainkit.recording.counter import Counter
from keras_trainkit.recording.due import Due
from keras_trainkit.recording.plan import Plan
from keras_trainkit.recording.replica import Replica, new_replica
from keras_trainkit.recording.request import Request
from keras_trainkit.recording.trace import StepTrace
from keras_trainkit.train_step.captured_examples import CapturedExamples
from keras_trainkit.train_step.taps import Taps


class MeasuredStep:
    """A train step that measures itself; takes the place of `model.train_step`.

    Args:
        model: The model, built and compiled.
        request: What to measure.
    """

    def __init__(self, model: Any, request: Request) -> None:
        self.model = model
        self.request = request
        self.unreachable: set[str] = set()
        self.reached: set[str] = set()
        strategy = model.distribute_strategy
        self.replica_count = strategy.num_replicas_in_sync
        devices: list[str | None] = [None]
        if self.replica_count > 1:
            devices = list(strategy.extended.worker_devices)
        self.replicas = [
            new_replica(device, request, model.steps_per_execution)
            for device in devices
        ]
        # How the record counts the first step of the run.
        self.first_step = 0
        self._counters: dict[tuple[str, str], Counter] = {}
        self.examples: CapturedExamples | None = None
        if request.kept_examples:
            self.examples = CapturedExamples(request.kept_examples, devices[0])
        self.intervals = {
            channel: 1 if every == "auto" else every
            for channel, every in request.channels.items()
        }
        self._original = model.train_step
        self._plan: Plan | None = None
        self._taps: Taps | None = None
        self._lock = threading.Lock()

    def __call__(self, data: Any) -> Any:
        """Runs or traces one step, as `model.train_step` would."""
        return self._run(data)

    def with_due(self, channels: frozenset[str]) -> Callable[[Any], Any]:
        """Returns the step in which just these channels are due.

        It needs no branches. What passes a branch is kept until its end, and could
        not be worked on in place. Nor does it keep training examples, if there are
        enough by now.
        """
        keeps = self.examples is not None and not self.examples.are_enough()
        return lambda data: self._run(data, channels, keeps)

    def set_interval(self, channels: list[str], interval: int) -> None:
        """Sets the steps between two readings of some channels."""
        self.intervals.update(dict.fromkeys(channels, interval))
        for replica in self.replicas:
            # Channels may share a variable.
            states = [replica.intervals[channel] for channel in channels]
            for state in {id(state): state for state in states}.values():
                state.assign(interval)

    def restart(self) -> None:
        """Puts everything back to how it is before the first step of a run."""
        for replica in self.replicas:
            replica.restart()
        self._counters.clear()
        if self.examples is not None:
            self.examples.restart()

    def counters(self, name: str) -> Mapping[str, Counter]:
        """What was counted under a name, by layer, over all replicas."""
        found = {}
        for key in self.replicas[0].counters:
            if key[0] == name:
                if key not in self._counters:
                    states = [replica.counters[key] for replica in self.replicas]
                    self._counters[key] = Counter(states, self.first_step)
                found[key[1]] = self._counters[key]
        return found

    def _run(
        self, data: Any, known: frozenset[str] | None = None, keeps: bool = True
    ) -> Any:
        plan = self._planned(data)
        replica = self._this_replica()
        due = Due(self.model, replica, known)
        channels = frozenset(replica.intervals) if known is None else known
        trace = StepTrace(plan, replica, due, channels, data)
        logs = self._run_original(data, trace)
        trace.read(logs)
        written = trace.write_step(logs)
        if keeps and self.examples is not None and replica is self.replicas[0]:
            self.examples.keep(data)
        # A step whose data never came must not count.
        with tf.control_dependencies([written]):
            due.end_step()
        return logs

    def _planned(self, data: Any) -> Plan:
        with self._lock:
            if self._plan is None:
                self._plan = self._made_plan(data)
                self._taps = Taps(self.model, list(self._plan.tapped))
            return self._plan

    def _made_plan(self, data: Any) -> Plan:
        # Run eagerly, a subclassed model is built by its first step only. A trace
        # that is never run builds it, and reads no seed.
        model = self.model
        if self.replica_count == 1 and not all(
            layer.built for layer in all_layers(model)
        ):
            self._trace_for_nothing(data)
        owners = {
            id(value): layer
            for layer in measured_layers(model)
            for value in layer.variables
        }
        tapped = tuple(self._tapped_layers())
        return Plan(self.request, model, self.replica_count, owners, tapped)

    def _trace_for_nothing(self, data: Any) -> None:
        def step() -> Any:
            self._original(data)
            return tf.constant(0)

        try:
            tf.function(step, autograph=False).get_concrete_function()
        except Exception:
            # A step that runs eagerly only; what it builds, its first run builds.
            if not self.model.run_eagerly:
                raise

    def _run_original(self, data: Any, trace: StepTrace) -> Any:
        """Runs the model's own train step under the tap of a trace."""
        assert self._taps is not None
        self._taps.enter(trace.tap)
        try:
            return self._original(data)
        finally:
            self._taps.leave()
            self.reached |= set(trace.tap.activations)
            self.unreachable |= trace.tap.unreachable

    def _tapped_layers(self) -> list[MeasuredLayer]:
        if "layers" not in self.request.taps:
            return []
        wanted = self.request.layers
        return [
            layer
            for layer in measured_layers(self.model)
            if (wanted is None or layer.label in wanted)
            and layer.label not in self.unreachable
        ]

    def _this_replica(self) -> Replica:
        if len(self.replicas) == 1:
            return self.replicas[0]
        context = tf.distribute.get_replica_context()
        return self.replicas[
            int(tf.get_static_value(context.replica_id_in_sync_group) or 0)
        ]
