"""L-BFGS as a Keras optimizer: one evaluation a train step."""

import warnings
from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.keras_model.batches import Batches
from keras_trainkit.problems.packing import Packing
from keras_trainkit.second_order.overlapping_batches import (
    OverlapSteps,
    overlapping_batches,
)
from keras_trainkit.second_order.stepwise_search import StepwiseSearch

FEW = 100  # rows of an overlap, below which pairs are mostly noise


@keras.saving.register_keras_serializable(package="keras_trainkit")
class LBFGS(keras.optimizers.Optimizer):
    """L-BFGS in `compile`: the full batch with a line search, or overlapping batches.

    **Full batch**, `fit(x, y, batch_size=len(x))`: each train step evaluates one
    point, as each step of `fit` does; the optimizer takes the loss that Keras shows
    it (`scale_loss`) and decides whether the point is good enough to go on from, or
    another length along the same direction is to be tried. Steps inside of a search
    may show a higher loss; `fit` ends at the best point reached. There is no rate to
    set, and the loss must be the same at the same weights: no dropout.

    **Overlapping batches**, `fit(optimizer.batches(x, y, batch_size=2000),
    shuffle=False)`: the multi-batch rule. A change of the gradient is taken from the
    rows that two consecutive batches share, at the weights before and after the step,
    so that it holds curvature and not the difference of two samples. Each batch comes
    in three pieces: the rows shared with the batch before, its own, and those shared
    with the next. Steps have a fixed length, `learning_rate`; 0.1 to 0.3 does for most.

    Args:
        learning_rate: Length of a step in lengths of the direction, > 0: the first one
            that is tried, or the fixed one of overlapping batches. `None` for 1.0 and
            0.2.
        history_size: Pairs that are remembered, int >= 1; each takes the memory of two
            gradients.
        overlap: The part of a batch that it shares with the next, in (0, 0.5); `None`
            for the full batch.
        name: The optimizer's name.

    Raises:
        ValueError: If an argument is out of range, or, when it is built, if weights
            are not float32 or float64, have constraints, or lie on several replicas.

    Example:
        ```python
        net = keras.Sequential([keras.layers.Dense(10, "softmax")])
        net.compile(tk.second_order.LBFGS(), "sparse_categorical_crossentropy")
        net.fit(x, y, batch_size=len(x), epochs=300)
        ```

    Reference:
        [Liu and Nocedal, 1989](https://doi.org/10.1007/BF01589116); [Berahas, Nocedal
        and Takáč, 2016](https://arxiv.org/abs/1605.06049)
    """

    # Its steps follow from a line search or the curvature: no rate is to be sought.
    sets_own_steps = True

    def __init__(
        self,
        learning_rate: float | None = None,
        history_size: int = 10,
        overlap: float | None = None,
        name: str = "lbfgs",
        **kwargs: Any,
    ) -> None:
        if overlap is not None:
            check_number(
                "overlap", overlap, 0, 0.5, open_minimum=True, open_maximum=True
            )
        if learning_rate is None:
            learning_rate = 1.0 if overlap is None else 0.2
        if not callable(learning_rate):
            check_number("learning_rate", learning_rate, 0, open_minimum=True)
        check_integer("history_size", history_size, 1)
        refused = [one for one, value in kwargs.items() if value not in (None, False)]
        refused = [one for one in refused if one not in _UNUSED]
        if refused:
            raise ValueError(
                "L-BFGS needs the plain gradient of the loss: it takes no "
                f"{', '.join(refused)}. {received(refused[0], kwargs[refused[0]])}"
            )
        super().__init__(learning_rate=learning_rate, name=name)
        self.history_size = int(history_size)
        self.overlap = None if overlap is None else float(overlap)
        self._shown: Any = None
        self._fed_by_batches = False

    def batches(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int,
        seed: int = 0,
    ) -> tf.data.Dataset:
        """Returns the data in overlapping batches, three pieces each, for `fit`.

        Pass `shuffle=False` to `fit`: the order is drawn here.

        Args:
            x: Inputs as arrays in any nesting.
            y: Targets, or `None`.
            sample_weight: Weights of the examples, or `None`.
            batch_size: Rows of a batch, the shared ones included; thousands rather
                than hundreds.
            seed: Seed of the order of the rows, drawn anew at each epoch.

        Raises:
            ValueError: If the optimizer has no overlap, or the rows do not suffice for
                one batch.
        """
        if self.overlap is None:
            raise ValueError(
                "`overlap` of the optimizer must be a number for overlapping batches. "
                f"{received('overlap', None)}"
            )
        check_integer("batch_size", batch_size, 3)
        data = Batches(x, y, sample_weight)
        if data.streamed:
            raise ValueError(f"`x` must be arrays. {received('x', type(x).__name__)}")
        shared = max(1, round(self.overlap * batch_size))
        own = batch_size - 2 * shared
        if own < 1 or data.rows < batch_size:
            raise ValueError(
                "`batch_size` must leave rows of its own beside the shared ones, and "
                f"be at most the number of rows, {data.rows}. "
                f"{received('batch_size', batch_size)}"
            )
        if shared < FEW:
            warnings.warn(
                f"Batches of {batch_size} share {shared} rows: their change of the "
                "gradient is mostly noise, and momentum or Adam will do better. Use "
                f"at least {FEW / self.overlap:.0f} rows a batch.",
                stacklevel=2,
            )
        self._fed_by_batches = True
        return overlapping_batches(self, data.arrays, data.rows, own, shared, seed)

    def build(self, variables: list[Any]) -> None:
        """Makes the state: flat vectors as long as all weights together."""
        if self.built:
            return
        _check(variables)
        super().build(variables)
        kind = "float64" if any(v.dtype == "float64" for v in variables) else "float32"
        shapes = [tuple(variable.shape) for variable in variables]
        self._packing = Packing(shapes, [tf.as_dtype(v.dtype) for v in variables], kind)
        total, pairs = self._packing.total, self.history_size

        def make(name: str, shape: tuple[int, ...] = ()) -> Any:
            return self.add_variable(shape, "zeros", kind, name=name)

        self._rule = (
            StepwiseSearch(make, pairs, total)
            if self.overlap is None
            else OverlapSteps(make, pairs, total, self.overlap)
        )

    def scale_loss(self, loss: Any) -> Any:
        """Looks at the loss of this step, and leaves it as it is."""
        self._shown = loss
        return loss

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Takes the gradient at the weights up and moves them.

        Args:
            grads: One gradient for each weight, or `None`.
            trainable_variables: The weights; by default those that it was built with.

        Raises:
            ValueError: If the step does not show its loss, or `overlap` is set and the
                data are not `batches`.
        """
        loss, self._shown = self._shown, None
        variables = list(trainable_variables or self._trainable_variables)
        if not self.built:
            self.build(variables)
        order = [self._get_variable_index(variable) for variable in variables]
        if order != list(range(len(self._trainable_variables))):
            raise ValueError(
                "L-BFGS needs the gradients of all weights that it was built with, in "
                f"their order. {received('weights', len(order))}"
            )
        gradient = self._packing.join(list(grads))
        weights = self._packing.join([tf.convert_to_tensor(v) for v in variables])
        if self.overlap is not None:
            if not self._fed_by_batches:
                raise ValueError(
                    "An optimizer with `overlap` must be fed by its own batches: "
                    "model.fit(optimizer.batches(x, y, batch_size=...)). "
                    f"{received('overlap', self.overlap)}"
                )
        elif loss is None:
            raise ValueError(
                "The step must show its loss by `optimizer.scale_loss(loss)`, as "
                "Keras' own train_step does without mixed_float16. "
                f"{received('loss', None)}"
            )
        shown = None if loss is None else tf.cast(loss, gradient.dtype)
        rate = tf.cast(self.learning_rate, gradient.dtype)
        moved = self._rule.step(weights, gradient, shown, rate)
        for variable, part in zip(variables, self._packing.split(moved), strict=True):
            variable.assign(part)
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list: Any) -> None:
        """Ends `fit` at the best point that a search along the loss has reached."""
        best = self._rule.best() if self.built else None
        if best is not None:
            parts = self._packing.split(best)
            for variable, part in zip(self._trainable_variables, parts, strict=True):
                variable.assign(part)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        config = super().get_config()
        return {
            "name": config["name"],
            "learning_rate": config["learning_rate"],
            "history_size": self.history_size,
            "overlap": self.overlap,
        }


# What Keras hands over at loading for options that are not set.
_UNUSED = ("jit_compile", "is_legacy_optimizer")


def _check(variables: list[Any]) -> None:
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        raise ValueError(
            "L-BFGS must run on one device: a search needs the whole loss. "
            f"{received('replicas', tf.distribute.get_strategy().num_replicas_in_sync)}"
        )
    for variable in variables:
        name = getattr(variable, "path", variable.name)
        if tf.as_dtype(variable.dtype) not in (tf.float32, tf.float64):
            raise ValueError(
                "L-BFGS works on float32 or float64 weights. Received: "
                f"variable={name!r} of dtype {variable.dtype}"
            )
        if getattr(variable, "constraint", None) is not None:
            raise ValueError(
                "L-BFGS works on weights without constraints. Received: "
                f"variable={name!r} with {variable.constraint!r}"
            )
