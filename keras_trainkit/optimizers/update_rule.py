"""What all update rules share, so that each of them is its equations."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from keras_trainkit.arguments import check_flag, check_integer, check_number
from keras_trainkit.optimizers.hyperparameter import (
    check_hyperparameter,
    deserialized,
    serialized,
    value_at,
)
from keras_trainkit.optimizers.passes import Passes, working_dtype
from keras_trainkit.optimizers.rows import as_rows


class UpdateRule(keras.optimizers.Optimizer):
    """A Keras optimizer whose subclass is one equation.

    A subclass names its per-weight state in `slots` and its hyperparameters in
    `hyperparameters`, and writes its equations in `rule`. The equations work
    element by element; the base class runs them in one pass over the memory, on
    every replica, on whole weights or on the rows of a table that a batch
    touched, in plain graphs, under `jit_compile=True` and eagerly.

    Three things differ from the Keras base class, all of them on purpose:

    - Rows that occur twice in a batch (the gradient of an `Embedding`) are
      summed before they are squared or clipped, and so are the gradients of
      several replicas.
    - Under gradient accumulation, schedules and the moving average of the
      weights count updates, not micro-steps.
    - State of half-precision weights is kept in float32.

    Args:
        learning_rate: A number >= 0, a schedule, or a callable without
            arguments.
        lazy: Whether a row of a table that no id in the batch points to keeps
            its value and its state. By default such a row moves on as the
            equations say (a velocity goes on rolling), which reads and writes
            the whole table at every step. A lazy rule is a different rule,
            much faster on big tables. Nothing changes for weights with dense
            gradients.
        **kwargs: What every Keras optimizer takes: `weight_decay` (decoupled:
            `x - learning_rate * weight_decay * x` before the rule), `clipnorm`,
            `global_clipnorm`, `clipvalue`, `use_ema`, `ema_momentum`,
            `ema_overwrite_frequency`, `loss_scale_factor`,
            `gradient_accumulation_steps`, `name`.

    Raises:
        ValueError: If an argument is out of range, or, when the optimizer is
            built, if a weight is not real and floating.

    Example:
        ```python
        @keras.saving.register_keras_serializable()
        class SignDescent(tk.optimizers.UpdateRule):
            def rule(self, x, g, state, now):
                return x - now.learning_rate * tf.sign(g), state

        model.compile(SignDescent(0.001), "mse")
        ```
    """

    slots: ClassVar[tuple[str, ...]] = ()
    """Names of the arrays of state that each weight has."""

    hyperparameters: ClassVar[tuple[str, ...]] = ()
    """Names of the attributes that `now` shows to the rule, besides the rate."""

    rests_at_zero: ClassVar[bool] = False
    """Whether an element with a zero gradient keeps its value and its state."""

    schedules_count_updates: ClassVar[bool] = True
    """Whether schedules go by updates, not by steps whose gradients are gathered."""

    def __init__(self, learning_rate: Any, *, lazy: bool = False, **kwargs: Any):
        rate = check_hyperparameter("learning_rate", learning_rate, minimum=0)
        for name in ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue"):
            if kwargs.get(name) is not None:
                check_number(name, kwargs[name], minimum=0)
        if kwargs.get("loss_scale_factor") is not None:
            check_number(
                "loss_scale_factor", kwargs["loss_scale_factor"], 0, open_minimum=True
            )
        if kwargs.get("gradient_accumulation_steps") is not None:
            check_integer(
                "gradient_accumulation_steps", kwargs["gradient_accumulation_steps"], 2
            )
        super().__init__(learning_rate=rate, **kwargs)
        self.lazy = check_flag("lazy", lazy)

    def rule(self, x: Any, g: Any, state: tuple, now: Any) -> tuple[Any, tuple]:
        """Returns the new weights and the new state, element by element.

        Args:
            x: Weights, of any shape.
            g: Their gradient, of the same shape.
            state: One array of that shape for each name in `slots`.
            now: The hyperparameters at this update: `now.learning_rate` and
                one attribute for each name in `hyperparameters`.

        Returns:
            The new `x`, and a tuple like `state`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `rule`.")

    def rule_in_place(self, x: Any, g: Any, state: tuple, now: Any) -> bool:
        """Does what `rule` does by one kernel of TensorFlow, where there is one.

        Used for whole weights that are neither clipped nor decayed; a kernel makes
        no new arrays. A subclass that overrides `rule` alone does without it.

        Args:
            x: The weights, a `tf.Variable` in float32 or float64.
            g: Their gradient, of the same shape and precision.
            state: One `tf.Variable` for each name in `slots`.
            now: As for `rule`.

        Returns:
            Whether the variables hold the new values; if not, `rule` is used.
        """
        return False

    def numbers(self, step: Any) -> dict[str, Any]:
        """Returns the hyperparameters at an update, each a float or a scalar.

        A rule overrides it to add numbers that are the same for all weights,
        such as a bias correction.

        Args:
            step: Updates made so far, an integer scalar.
        """
        numbers = {
            name: value_at(getattr(self, name), step) for name in self.hyperparameters
        }
        numbers["learning_rate"] = tf.cast(self.learning_rate, tf.float64)
        return numbers

    def build(self, variables: list[Any]) -> None:
        """Makes the state of each weight.

        Args:
            variables: The trainable weights, in the model's order.

        Raises:
            ValueError: If a weight is complex or integer.
        """
        if self.built:
            return
        for variable in variables:
            _check_real(variable)
        super().build(variables)
        slots = [self._slots_of(variable) for variable in variables]
        self._passes = Passes(
            self,
            variables,
            slots,
            self._model_variables_moving_average if self.use_ema else [],
            self._accumulated_gradients if self.gradient_accumulation_steps else [],
        )

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Updates the weights by the rule.

        Args:
            grads: One gradient for each weight: a tensor, `tf.IndexedSlices`,
                or `None` for a weight that the loss does not depend on.
            trainable_variables: The weights; by default those that the
                optimizer was built with.
        """
        grads = list(grads)
        known = trainable_variables
        if known is None:
            known = self._trainable_variables
        else:
            known = trainable_variables = list(trainable_variables)
        if len(grads) == len(known):
            grads = [
                as_rows(gradient, variable.shape)
                for gradient, variable in zip(grads, known, strict=True)
            ]
        super().apply(grads, trainable_variables)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, schedules among them serialised."""
        own = {name: serialized(getattr(self, name)) for name in self.hyperparameters}
        return {**super().get_config(), "lazy": self.lazy, **own}

    @classmethod
    def from_config(cls, config: dict, custom_objects: Any = None) -> "UpdateRule":
        """Returns the optimizer that `get_config` described."""
        config = dict(config)
        for name in cls.hyperparameters:
            if name in config:
                config[name] = deserialized(config[name], custom_objects)
        return super().from_config(config, custom_objects)

    @property
    def iterations(self) -> Any:
        """Updates made so far; micro-steps do not count."""
        return super().iterations

    def _slots_of(self, variable: Any) -> list[Any]:
        if self._overwrite_variable_with_gradient(variable):
            return []
        if working_dtype(variable.dtype) == tf.as_dtype(variable.dtype):
            return [self.add_variable_from_reference(variable, s) for s in self.slots]
        path = getattr(variable, "path", variable.name)
        path = path.replace("/", "_").replace(":", "_")
        return [
            self.add_variable(variable.shape, dtype="float32", name=f"{path}_{slot}")
            for slot in self.slots
        ]

    def _get_current_learning_rate(self) -> Any:
        # Keras counts micro-steps here, so that under gradient accumulation a
        # schedule would run several times too fast.
        if isinstance(
            self._learning_rate, keras.optimizers.schedules.LearningRateSchedule
        ):
            return self._learning_rate(self.iterations)
        return super()._get_current_learning_rate()

    def _backend_apply_gradients(self, grads: Any, trainable_variables: Any) -> None:
        # The place that Keras keeps for a backend's own way: all that happens
        # after unscaling and before constraints.
        indices = [self._get_variable_index(v) for v in trainable_variables]
        self._passes.run(grads, indices)


def _check_real(variable: Any) -> None:
    if not tf.as_dtype(variable.dtype).is_floating:
        name = getattr(variable, "path", variable.name)
        raise ValueError(
            "Update rules work on real floating-point weights. "
            f"Received: variable={name!r} of dtype {variable.dtype}"
        )
