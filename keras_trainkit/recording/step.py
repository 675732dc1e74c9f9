"""The measured train step: what is read, when it is due, and where it is written."""

import threading
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_trainkit.keras_model.layers import (
    MeasuredLayer,
    all_layers,
    measured_layers,
    short_name,
)
from keras_trainkit.keras_model.replicas import plain
from keras_trainkit.keras_model.state import variables_of
from keras_trainkit.record.series import Series
from keras_trainkit.recording.columns import Column, Merge
from keras_trainkit.recording.layer_statistics import LayerReadings
from keras_trainkit.recording.request import Request
from keras_trainkit.recording.rows import Reading, StepRows
from keras_trainkit.recording.schedule import Replica, Schedule, new_replica
from keras_trainkit.recording.updates import UpdateReadings
from keras_trainkit.train_step.captured_examples import CapturedExamples
from keras_trainkit.train_step.fusion import may_be_fused
from keras_trainkit.train_step.sampling import Sampling
from keras_trainkit.train_step.taps import StepTap, Taps


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
        # First step that the silence of a layer's units is counted from.
        self.units_reset: dict[str, int] = {}
        strategy = model.distribute_strategy
        self.replica_count = strategy.num_replicas_in_sync
        devices: list[str | None] = [None]
        if self.replica_count > 1:
            devices = list(strategy.extended.worker_devices)
        self.replicas = [new_replica(device, request) for device in devices]
        self.examples: CapturedExamples | None = None
        if request.captured_examples:
            self.examples = CapturedExamples(request.captured_examples, devices[0])
        self.intervals = {
            channel: 1 if every == "auto" else every
            for channel, every in request.channels.items()
        }
        self.uses_twin = False
        self._original = model.train_step
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

    def _run(
        self, data: Any, known: frozenset[str] | None = None, keeps: bool = True
    ) -> Any:
        with self._lock:
            if self._taps is None:
                self._prepare(data)
        replica = self._this_replica()
        if known and self.uses_twin:
            known = None  # a twin needs its branch
        schedule = Schedule(self.model, replica, self.uses_twin, known)
        channels = frozenset(replica.intervals) if known is None else known
        if channels and self.uses_twin:
            self._measure_twin(data, replica, schedule)
            channels = frozenset()
        trace = _StepTrace(self, replica, schedule, channels)
        logs = trace.run(data)
        written = trace.write_step(logs)
        if keeps and self.examples is not None and replica is self.replicas[0]:
            self.examples.keep(data)
        # A step whose data never came must not count.
        with tf.control_dependencies([written]):
            schedule.end_step()
        return logs

    def _prepare(self, data: Any) -> None:
        # A subclassed model is built by its first step only, and so are optimizers
        # and metrics. A trace that is never run builds them, and reads no seed.
        model = self.model
        if self.replica_count == 1 and not all(
            layer.built for layer in all_layers(model)
        ):
            self._trace_for_nothing(data)
        self.uses_twin = self._needs_twin()
        if self.uses_twin:
            self._trace_for_nothing(data)
        self._owners = {
            id(value): layer
            for layer in measured_layers(model)
            for value in layer.variables
        }
        self._taps = Taps(model, self._tapped_layers())

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

    def _measure_twin(self, data: Any, replica: Replica, schedule: Schedule) -> None:
        # XLA, and fused layers without it, round differently wherever a tensor has
        # one more reader, and the weights would differ in their last bit. So a due
        # step is done twice: a measured twin in a branch of its own, which is
        # undone, and then the step as it is.
        state = [plain(variable) for variable in variables_of(self.model)]

        def twin() -> Any:
            before = [tf.identity(value) for value in state]
            trace = _StepTrace(self, replica, schedule, frozenset(replica.intervals))
            trace.run(data)
            for value, old in zip(state, before, strict=True):
                value.assign(old)
            return tf.constant(0)

        due = tf.reduce_any([schedule.is_due(channel) for channel in replica.intervals])
        tf.cond(due, twin, lambda: tf.constant(0))

    def set_interval(self, channels: list[str], interval: int) -> None:
        """Sets the steps between two readings of "updates", "layers" or both."""
        self.intervals.update(dict.fromkeys(channels, interval))
        for replica in self.replicas:
            # Channels may share a variable.
            states = [replica.intervals[channel] for channel in channels]
            for state in {id(state): state for state in states}.values():
                state.assign(interval)

    def label_of(self, value: Any) -> tuple[str, str]:
        """Layer and short name of a trainable variable."""
        owner = self._owners.get(id(value))
        return (owner.label if owner else ""), short_name(value, owner)

    def run_original(self, data: Any, tap: StepTap) -> Any:
        """Runs the model's own train step under a tap."""
        assert self._taps is not None
        self._taps.enter(tap)
        try:
            return self._original(data)
        finally:
            self._taps.leave()
            self.reached |= set(tap.activations)
            self.unreachable |= tap.unreachable

    def _needs_twin(self) -> bool:
        if self.model.run_eagerly:
            return False
        if self.model.jit_compile:
            return True
        fusible = [
            layer
            for layer in self._tapped_layers()
            if may_be_fused(layer.layer, self.model)
        ]
        if fusible and self.replica_count > 1:
            # Replicas meet in the update, which no branch may hold: these layers
            # are left alone.
            self.unreachable |= {layer.label for layer in fusible}
            return False
        return bool(fusible)

    def _tapped_layers(self) -> list[MeasuredLayer]:
        if self.request.layer_every is None:
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


class _StepTrace:
    """One pass through the step, in one replica: eager, or while it is traced.

    Args:
        step: The measured step.
        replica: The replica.
        schedule: When readings are due.
        channels: The channels that may be due.
    """

    def __init__(
        self,
        step: MeasuredStep,
        replica: Replica,
        schedule: Schedule,
        channels: frozenset[str],
    ) -> None:
        self._step = step
        self._replica = replica
        self._schedule = schedule
        reads_updates = "updates" in channels
        self._rows = StepRows(replica, schedule)
        self._updates = UpdateReadings(step, self._rows, schedule, reads_updates)
        sampling = None
        if "layers" in channels:
            sampling = Sampling(step.request.sample, schedule.number)
        self._tap = StepTap(
            self._note_loss,
            self._updates.before if channels else None,
            self._updates.after,
            sampling,
        )
        self._layers = LayerReadings(step, replica, self._rows, self._tap)
        self._optimizer = getattr(step.model, "optimizer", None)
        self._loss: Any = None
        self._rate: Any = None

    def run(self, data: Any) -> Any:
        """Runs the step and takes the readings of its inside that are due."""
        if self._optimizer is not None:
            rate = tf.convert_to_tensor(self._optimizer.learning_rate)
            self._rate = tf.cast(rate, tf.float32)
        logs = self._step.run_original(data, self._tap)
        self._updates.write()
        self._layers.write(self._updates.loss_scale)
        return logs

    def write_step(self, logs: Any) -> Any:
        """Writes the readings, with what is read at every step: batch loss and rate.

        Returns:
            What must be done before the step counts.
        """
        if self._loss is None and isinstance(logs, dict) and "loss" in logs:
            # A custom step that shows its loss nowhere else: take what it reports.
            self._loss = _scalar(logs["loss"])
        columns: list[Column] = []
        row: list[Any] = []
        if self._loss is not None:
            columns.append(Column(Series("loss"), Merge.MEAN))
            row.append(self._loss)
        if self._rate is not None:
            columns.append(Column(Series("learning_rate")))
            row.append(self._rate)
        if row:
            self._rows.add("steps", Reading(columns, [], lambda: (row, [])))
        return self._rows.write()

    def _note_loss(self, loss: Any) -> None:
        # Keras divides the loss by the number of replicas before it is summed.
        self._loss = _scalar(loss) * self._step.replica_count
        self._schedule.note_loss(self._loss)


def _scalar(value: Any) -> Any:
    return tf.cast(tf.reduce_mean(tf.convert_to_tensor(value)), tf.float32)
