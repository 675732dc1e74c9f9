"""Steps an update rule over plain tensors: no model, no variables, no optimizer."""

import types
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.optimizers.update_rule import UpdateRule


class Stepper:
    """Carries tensors and the state of a rule from step to step.

    For trying a rule outside a model, or training a copy of some weights: the very
    equations of the optimizer run, in the precision of the values. Clipping, weight
    decay and averaging belong to the optimizer and take no part.

    Args:
        rule: The rule; its hyperparameters may be schedules, but an `Adam` whose
            betas vary keeps their products in variables and is refused.
        values: The tensors to move, arrays or tensors, floating point.

    Raises:
        ValueError: If `rule` is no update rule, or one with varying betas.

    Example:
        ```python
        stepper = Stepper(tk.optimizers.Adam(0.1), [tf.constant([3.0])])
        for _ in range(100):
            stepper.step([2 * stepper.values[0]])  # the gradient of x**2
        ```
    """

    def __init__(self, rule: UpdateRule, values: Sequence[Any]) -> None:
        if not isinstance(rule, UpdateRule):
            raise ValueError(f"`rule` must be an update rule. {received('rule', rule)}")
        if callable(getattr(rule, "beta_1", None)) or callable(
            getattr(rule, "beta_2", None)
        ):
            raise ValueError(
                "`rule` must have betas that are numbers outside of an optimizer. "
                f"{received('rule', rule)}"
            )
        self.rule = rule
        self.values = [tf.convert_to_tensor(value) for value in values]
        self.states = [
            tuple(tf.zeros_like(value) for _ in rule.slots) for value in self.values
        ]
        self.steps = 0

    def step(self, gradients: Sequence[Any]) -> list[Any]:
        """Moves the values by one step of the rule.

        Args:
            gradients: One a value, of its shape.

        Returns:
            The new values, also kept in `values`.
        """
        numbers = self.rule.numbers(tf.constant(self.steps, tf.int64))
        moved = []
        for value, gradient, state in zip(
            self.values, gradients, self.states, strict=True
        ):
            now = types.SimpleNamespace(
                **{
                    name: tf.cast(number, value.dtype)
                    if tf.is_tensor(number)
                    else number
                    for name, number in numbers.items()
                }
            )
            gradient = tf.cast(gradient, value.dtype)
            moved.append(self.rule.rule(value, gradient, state, now))
        self.values = [value for value, _ in moved]
        self.states = [state for _, state in moved]
        self.steps += 1
        return self.values
