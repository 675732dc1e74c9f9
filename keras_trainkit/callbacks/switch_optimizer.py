"""Changes to another optimizer in the middle of a training."""

import math
from collections.abc import Mapping
from typing import Any

import keras

from keras_trainkit.arguments import check_integer, check_number, received


class SwitchOptimizer(keras.callbacks.Callback):
    """Trains with one optimizer first and with another one from some epoch on.

    Adam until the loss flattens, then L-BFGS, is how physics-informed networks are
    fitted: in one `fit`, with one `History` and the same callbacks. The weights go on
    as they are; the new optimizer begins with an empty state and stays with the model.

    Args:
        to: The optimizer to change to.
        at: The epoch that is the first one with it, counted from 0, int >= 1; `None`
            for the first after the loss has flattened.
        monitor: What must fall, a name in the logs.
        patience: Epochs without a fall after which it has flattened, int >= 1.
        min_delta: Relative fall that counts as one, >= 0.

    Raises:
        ValueError: If `to` is no optimizer or a number is out of range.

    Example:
        ```python
        net = keras.Sequential([keras.layers.Dense(10, "softmax")])
        net.compile("adam", "sparse_categorical_crossentropy")
        switch = tk.callbacks.SwitchOptimizer(tk.second_order.LBFGS(), patience=20)
        net.fit(x, y, batch_size=len(x), epochs=500, callbacks=[switch])
        switch.switched  # the epoch, or None
        ```
    """

    def __init__(
        self,
        to: Any,
        at: int | None = None,
        monitor: str = "loss",
        patience: int = 20,
        min_delta: float = 1e-2,
    ) -> None:
        super().__init__()
        if not isinstance(to, keras.optimizers.Optimizer):
            raise ValueError(f"`to` must be a Keras optimizer. {received('to', to)}")
        self.to, self.monitor = to, monitor
        self.at = None if at is None else check_integer("at", at, 1)
        self.patience = check_integer("patience", patience, 1)
        self.min_delta = check_number("min_delta", min_delta, 0.0)
        self.switched: int | None = None
        self._built_for: tuple[int, ...] = ()

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Resets what is known of the run.

        Raises:
            ValueError: If it has switched another model to this optimizer.
        """
        if self._built_for not in ((), self._weights()):
            raise ValueError(
                "`to` must be an optimizer that was not used with another model; pass "
                f"a new one. {received('to', type(self.to).__name__)}"
            )
        self.switched = None
        self._lowest, self._waited = math.inf, 0

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Changes the optimizer if the next epoch is the first one with it.

        Raises:
            ValueError: If the logs have no `monitor`.
        """
        if self.at is None:
            self._watch(logs or {})
            due = self._waited >= self.patience
        else:
            due = epoch + 1 >= self.at
        more = epoch + 1 < self.params.get("epochs", math.inf)
        if due and more and self.switched is None and not self._holds():
            self._switch()
            self.switched = epoch + 1

    def _watch(self, logs: Mapping[str, Any]) -> None:
        if self.monitor not in logs:
            raise ValueError(
                f"`monitor` must be one of {sorted(logs)}. "
                f"{received('monitor', self.monitor)}"
            )
        value = float(logs[self.monitor])
        fell = value < self._lowest - self.min_delta * abs(self._lowest)
        if fell or (math.isinf(self._lowest) and math.isfinite(value)):
            self._lowest, self._waited = value, 0
        else:
            self._waited += 1

    def _weights(self) -> tuple[int, ...]:
        return tuple(id(variable) for variable in self.model.trainable_variables)

    def _holds(self) -> bool:
        optimizer = self.model.optimizer
        return getattr(optimizer, "inner_optimizer", optimizer) is self.to

    def _switch(self) -> None:
        model, optimizer = self.model, self.to
        with model.distribute_strategy.scope():
            if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            optimizer.build(model.trainable_variables)
        self._built_for = self._weights()
        model.optimizer = optimizer
        # The step was traced with the other one.
        model.train_function = None
        model.make_train_function()
