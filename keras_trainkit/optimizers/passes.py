"""Carries an update rule over weights, tables, replicas and micro-steps."""

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

import keras
import tensorflow as tf

from keras_trainkit.optimizers.clipping import clip_factors
from keras_trainkit.optimizers.fused import Fused
from keras_trainkit.optimizers.replicas import copies, leave_replicas, sum_over_replicas
from keras_trainkit.optimizers.rows import Rows, nonzero_rows


class Steppable(Protocol):
    """What the passes ask of an optimizer: its equations and its options."""

    slots: ClassVar[tuple[str, ...]]
    rests_at_zero: ClassVar[bool]
    lazy: bool
    clipnorm: float | None
    global_clipnorm: float | None
    clipvalue: float | None
    weight_decay: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    gradient_accumulation_steps: int | None
    _iterations: keras.Variable

    @property
    def iterations(self) -> Any:
        """Updates made so far."""

    def numbers(self, step: Any) -> dict[str, Any]:
        """Returns the hyperparameters at an update."""

    def rule(self, x: Any, g: Any, state: tuple, now: Any) -> tuple[Any, tuple]:
        """Returns new weights and new state."""

    def rule_in_place(self, x: Any, g: Any, state: tuple, now: Any) -> bool:
        """Moves variables by one kernel, if there is one."""

    def _use_weight_decay(self, variable: Any) -> bool:
        """Whether a weight is not excluded from the decay."""


class Passes:
    """The passes over the memory that make up one optimizer step.

    Args:
        optimizer: The rule, with its options and its state.
        weights: The variables that it was built with.
        slots: For each weight its arrays of state.
        averages: For each weight its moving average, empty for none.
        sums: For each weight the sum of the micro-steps' gradients, empty for
            none.
    """

    def __init__(
        self,
        optimizer: Steppable,
        weights: Sequence[Any],
        slots: Sequence[Sequence[Any]],
        averages: Sequence[Any],
        sums: Sequence[Any],
    ) -> None:
        self._optimizer = optimizer
        self._weights = weights
        self._slots = slots
        self._averages = averages
        self._sums = sums
        self._fused_rule = Fused(self._move_group, arrays=1 + len(optimizer.slots))
        self._fused_average = Fused(self._average_group, arrays=1)
        self._in_place = _kernel_is_of_the_rule(type(optimizer)) and (
            optimizer.clipnorm is None
            and optimizer.global_clipnorm is None
            and optimizer.clipvalue is None
        )

    def run(self, gradients: Sequence[Any], indices: Sequence[int]) -> None:
        """Makes one step, or one micro-step, from each replica's gradients.

        Args:
            gradients: Tensors or `Rows`, one for each index.
            indices: Which weights they belong to.
        """
        gradients = sum_over_replicas(gradients)
        if self._optimizer.gradient_accumulation_steps:
            leave_replicas(lambda merged: self._micro_step(merged, indices), gradients)
        else:
            leave_replicas(lambda merged: self._update(merged, indices), gradients)

    def _micro_step(self, gradients: Sequence[Any], indices: Sequence[int]) -> None:
        for gradient, index in zip(gradients, indices, strict=True):
            for part, total in zip(
                copies(gradient), _copies(self._sums[index]), strict=True
            ):
                if isinstance(part, Rows):
                    values = tf.cast(part.values, total.dtype)
                    total.scatter_add(tf.IndexedSlices(values, part.ids))
                else:
                    total.assign_add(tf.cast(part, total.dtype))
        steps = self._optimizer.gradient_accumulation_steps
        due = tf.equal((self._optimizer._iterations.value + 1) % steps, 0)
        tf.cond(due, lambda: self._update_from_sums(gradients, indices), lambda: None)

    def _update_from_sums(
        self, gradients: Sequence[Any], indices: Sequence[int]
    ) -> None:
        steps = self._optimizer.gradient_accumulation_steps
        means = []
        for gradient, index in zip(gradients, indices, strict=True):
            sparse = isinstance(copies(gradient)[0], Rows) and self._rows_only(index)
            local = [total / steps for total in _copies(self._sums[index])]
            means.append([nonzero_rows(mean) if sparse else mean for mean in local])
        self._update(means, indices)
        for index in indices:
            for total in _copies(self._sums[index]):
                total.assign(tf.zeros_like(total))

    def _update(self, gradients: Sequence[Any], indices: Sequence[int]) -> None:
        optimizer = self._optimizer
        updates = tf.convert_to_tensor(optimizer.iterations)
        numbers = optimizer.numbers(updates)
        split = [g if isinstance(g, list) else copies(g) for g in gradients]
        for replica, local in enumerate(zip(*split, strict=True)):
            with tf.device(_copies(self._weights[indices[0]])[replica].device):
                self._move(list(local), indices, replica, numbers)
                if optimizer.use_ema:
                    self._average(updates, replica)

    def _move(
        self,
        gradients: list[Any],
        indices: Sequence[int],
        replica: int,
        numbers: dict[str, Any],
    ) -> None:
        """Moves one replica's weights: whole ones, then single rows."""
        optimizer = self._optimizer
        gradients = [g.summed() if isinstance(g, Rows) else g for g in gradients]
        factors = clip_factors(gradients, optimizer.clipnorm, optimizer.global_clipnorm)
        whole, scattered = [], []
        now = functools.cache(lambda dtype: _numbers_in(dtype, numbers))
        for gradient, factor, index in zip(gradients, factors, indices, strict=True):
            x = _copies(self._weights[index])[replica]
            state = [_copies(slot)[replica] for slot in self._slots[index]]
            decay = bool(optimizer.weight_decay) and optimizer._use_weight_decay(x)
            if isinstance(gradient, Rows):
                old = [tf.gather(array, gradient.ids) for array in (x, *state)]
                scattered.append((gradient, factor, x, state, decay, old))
                if self._rows_only(index):
                    continue
                gradient = None  # all rows move on; the touched ones are redone
            elif self._moved_in_place(x, gradient, state, decay, now):
                continue
            whole.append((x, gradient, factor, state, decay))
        if whole:
            self._fused_rule(list(zip(*whole, strict=True)), numbers)
        for rows, factor, x, state, decay, (old_x, *old_state) in scattered:
            new_x, new_state = self._moved(
                old_x, rows.values, factor, old_state, decay, numbers
            )
            for array, new in zip((x, *state), (new_x, *new_state), strict=True):
                new = tf.cast(new, array.dtype)
                array.scatter_update(tf.IndexedSlices(new, rows.ids))

    def _moved_in_place(
        self,
        x: Any,
        g: Any,
        state: list[Any],
        decay: bool,
        now: Callable[[Any], Any],
    ) -> bool:
        """Moves a weight by the rule's own kernel; returns whether it could."""
        dtype = tf.as_dtype(x.dtype)
        if not self._in_place or decay or working_dtype(dtype) != dtype:
            return False
        g = tf.cast(g, dtype)
        return self._optimizer.rule_in_place(x, g, tuple(state), now(dtype))

    def _move_group(
        self,
        weights: list[Any],
        gradients: list[Any],
        factors: list[Any],
        states: list[Any],
        decays: list[bool],
        numbers: dict[str, Any],
    ) -> None:
        for x, g, factor, state, decay in zip(
            weights, gradients, factors, states, decays, strict=True
        ):
            g = tf.zeros(x.shape, x.dtype) if g is None else g
            old = [tf.convert_to_tensor(array) for array in state]
            new_x, new_state = self._moved(
                tf.convert_to_tensor(x), g, factor, old, decay, numbers
            )
            for array, new in zip((x, *state), (new_x, *new_state), strict=True):
                array.assign(tf.cast(new, array.dtype))

    def _moved(
        self,
        x: Any,
        g: Any,
        factor: Any,
        state: Sequence[Any],
        decay: bool,
        numbers: dict[str, Any],
    ) -> tuple[Any, tuple]:
        """Returns new weights and state: clipping, decay, then the equations."""
        optimizer = self._optimizer
        dtype = working_dtype(x.dtype)
        now = _numbers_in(dtype, numbers)
        x, g = tf.cast(x, dtype), tf.cast(g, dtype)
        if optimizer.clipnorm is not None or optimizer.global_clipnorm is not None:
            g = g * tf.cast(factor, dtype)
        if optimizer.clipvalue is not None:
            g = tf.clip_by_value(g, -optimizer.clipvalue, optimizer.clipvalue)
        if optimizer.weight_decay and decay:
            x = x - now.learning_rate * optimizer.weight_decay * x
        return optimizer.rule(x, g, tuple(state), now)

    def _rows_only(self, index: int) -> bool:
        """Whether the rows that no id points to need not be looked at."""
        optimizer = self._optimizer
        if optimizer.lazy:
            return True
        weight = _copies(self._weights[index])[0]
        decays = bool(optimizer.weight_decay) and optimizer._use_weight_decay(weight)
        return optimizer.rests_at_zero and not decays

    def _average(self, updates: Any, replica: int) -> None:
        """Takes one replica's new weights into their moving average."""
        optimizer = self._optimizer
        kept = tf.where(tf.equal(updates, 0), 0.0, optimizer.ema_momentum)
        pairs = [
            (_copies(x)[replica], _copies(average)[replica])
            for x, average in zip(self._weights, self._averages, strict=True)
            if average is not None
        ]
        self._fused_average(list(zip(*pairs, strict=True)), kept)
        every = optimizer.ema_overwrite_frequency

        def overwrite() -> None:
            for x, average in pairs:
                x.assign(average)

        if every:
            tf.cond(tf.equal((updates + 1) % every, 0), overwrite, lambda: None)

    def _average_group(
        self, weights: list[Any], averages: list[Any], kept: Any
    ) -> None:
        for x, average in zip(weights, averages, strict=True):
            keep = tf.cast(kept, x.dtype)
            average.assign(keep * average + (1 - keep) * x)


def working_dtype(dtype: Any) -> Any:
    """Returns the precision a rule works in: half precision is widened."""
    return tf.float32 if tf.as_dtype(dtype).size < 4 else tf.as_dtype(dtype)


def _numbers_in(dtype: Any, numbers: dict[str, Any]) -> Any:
    return types.SimpleNamespace(
        **{
            name: tf.cast(number, dtype) if tf.is_tensor(number) else number
            for name, number in numbers.items()
        }
    )


def _kernel_is_of_the_rule(kind: type) -> bool:
    """Whether no subclass has changed the rule without its kernel."""
    for each in kind.__mro__:
        if "rule_in_place" in vars(each):
            return True
        if "rule" in vars(each):
            return False
    return False


def _copies(variable: Any) -> tuple[Any, ...]:
    """Returns a Keras or TensorFlow variable's `tf.Variable` on each replica."""
    return copies(variable.value if isinstance(variable, keras.Variable) else variable)
