"""One pass through the step, in one replica: eager, or while it is traced."""

from typing import Any

import tensorflow as tf

from keras_trainkit.recording.due import Due
from keras_trainkit.recording.plan import Plan
from keras_trainkit.recording.replica import Replica
from keras_trainkit.recording.rows import StepRows
from keras_trainkit.recording.seen import Seen
from keras_trainkit.recording.tapped_updates import TappedUpdates
from keras_trainkit.train_step.sampling import Sampling
from keras_trainkit.train_step.taps import StepTap


class StepTrace:
    """One pass through the step, in one replica.

    Args:
        plan: What is measured.
        replica: The replica.
        due: When readings are due.
        channels: The channels that may be due, other than "steps".
        data: What the train step is given.
    """

    def __init__(
        self,
        plan: Plan,
        replica: Replica,
        due: Due,
        channels: frozenset[str],
        data: Any,
    ) -> None:
        self._plan = plan
        self._due = due
        self._channels = channels
        request = plan.request
        looking = [
            channel
            for channel in request.channels_that_need("updates")
            if channel in channels
        ]
        self._updates = TappedUpdates(plan, due, looking)
        sampling = None
        if channels.intersection(request.channels_that_need("layers")):
            sampling = Sampling(request.sample, due.number)
        self.tap = StepTap(
            self._note_loss,
            self._updates.before if channels else None,
            self._updates.after,
            self._note_optimizer,
            sampling,
        )
        self._seen = Seen(plan.model, data, due.number, make_counter=replica.counter)
        self._rows = StepRows(replica, due, is_only=plan.replica_count == 1)
        self._rate_of: Any = None
        if getattr(plan.model, "optimizer", None) is not None:
            self._seen.learning_rate = _rate(plan.model.optimizer)

    def read(self, logs: Any) -> None:
        """Takes the readings that are due, after the model's step has run.

        Args:
            logs: What it returned.
        """
        seen = self._seen
        seen.logs = logs
        seen.loss_scale = self._updates.loss_scale
        seen.updates = self._updates.made
        seen.layers = self.tap.layers
        seen.outputs = self.tap.activations
        seen.output_gradients = self.tap.activation_gradients
        for channel in self._plan.request.channels:
            if channel in self._channels:
                self._rows.add(channel, self._plan.request.on(channel), seen)

    def write_step(self, logs: Any) -> Any:
        """Writes the readings, with what is read at every step.

        Returns:
            What must be done before the step counts.
        """
        seen = self._seen
        if seen.loss is None and isinstance(logs, dict) and "loss" in logs:
            # A custom step that shows its loss nowhere else: take what it reports.
            seen.loss = _mean(logs["loss"])
        self._rows.add("steps", self._plan.request.on("steps"), seen)
        return self._rows.write(seen)

    def _note_optimizer(self, optimizer: Any) -> None:
        # Of several the compiled one, if it is in use, else the first that is.
        compiled = getattr(self._plan.model, "optimizer", None)
        if self._rate_of is None or optimizer is compiled:
            self._rate_of = optimizer
            self._seen.learning_rate = _rate(optimizer)

    def _note_loss(self, loss: Any) -> None:
        # Keras divides the loss by the number of replicas before it is summed.
        self._seen.loss = _mean(loss) * self._plan.replica_count
        self._due.note_loss(self._seen.loss)


def _rate(optimizer: Any) -> Any:
    return tf.cast(tf.convert_to_tensor(optimizer.learning_rate), tf.float32)


def _mean(value: Any) -> Any:
    return tf.cast(tf.reduce_mean(tf.convert_to_tensor(value)), tf.float32)
