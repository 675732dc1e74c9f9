"""The model and the data that the checks look at, read once."""

import dataclasses
import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.keras_model.arrays import keep_rows, row_count
from keras_trainkit.keras_model.batches import Batches, fixed_batch_size
from keras_trainkit.keras_model.outputs import (
    last_activation,
    loss_name,
    loss_option,
)
from keras_trainkit.problems.of_model import build_model, kept_losses

ROWS = 20_000  # rows that the data checks look at
STREAMED = 2_048  # rows read from a dataset
BATCH = 64  # rows that the model is run on


@dataclasses.dataclass
class Output:
    """One output of the model with its target and its loss.

    Args:
        name: The output's name.
        target: Its targets, one row an example.
        predicted: What the fresh model predicts for the batch.
        batch_target: The targets of that batch.
        loss: The Keras loss object.
        kind: The name of the loss function, such as "mean_squared_error".
        from_logits: Whether the loss expects logits.
        label_smoothing: Share of each target that the loss spreads, in [0, 1].
        activation: The output layer's activation, "" where it is not known.
    """

    name: str
    target: np.ndarray
    predicted: np.ndarray
    batch_target: np.ndarray
    loss: Any
    kind: str
    from_logits: bool
    label_smoothing: float
    activation: str


class Subject:
    """What every check receives.

    Args:
        model: A compiled Keras model, built or not.
        x: Inputs, as for `fit`: arrays in any nesting or a dataset.
        y: Targets, `None` if `x` brings them.
        sample_weight: Weights of the examples, or `None`.
        validation_data: `(x, y)`, `(x, y, sample_weight)`, a dataset or `None`.
        seed: Seed of the rows drawn.
        seconds: Time that one long check may take, > 0.
        verbose: Whether long checks show a progress bar.

    Raises:
        ValueError: If `model` is no compiled Keras model or the rows differ.
    """

    def __init__(
        self,
        model: Any,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        validation_data: Any = None,
        *,
        seed: int = 0,
        seconds: float = 20.0,
        verbose: bool = False,
    ) -> None:
        if not isinstance(model, keras.Model):
            raise ValueError(
                f"`model` must be a Keras model. {received('model', model)}"
            )
        self.model = model
        self.seed, self.seconds, self.verbose = seed, seconds, verbose
        batches = Batches(x, y, sample_weight, model=model)
        self.streamed = batches.streamed
        # In order: some checks look at the order of the rows.
        self.x, self.y, self.sample_weight = batches.spread(_limit(batches))
        self.rows = row_count(self.x, self.y, self.sample_weight)
        self.validation: tuple[Any, Any, Any] | None = None
        if validation_data is not None:
            held = _batches_of(validation_data, "validation_data", model)
            self.validation = held.spread(_limit(held))
        self.fixed = fixed_batch_size(model)
        build_model(model, *self.batch(2))

    def batch(self, rows: int = BATCH) -> tuple[Any, Any, Any]:
        """Returns some rows of inputs, targets and weights, drawn once by the seed."""
        random = np.random.default_rng(self.seed)
        chosen = np.sort(random.permutation(self.rows)[: self.fixed or rows])
        return tuple(
            keep_rows(part, chosen) for part in (self.x, self.y, self.sample_weight)
        )

    @functools.cached_property
    def tensors(self) -> Any:
        """The prediction for the batch, as it leaves the model in inference mode."""
        x, _, _ = self.batch()
        scope = keras.StatelessScope([(v, v.value) for v in self.model.variables])
        with scope, kept_losses(self.model):
            return self.model(
                tf.nest.map_structure(tf.convert_to_tensor, x), training=False
            )

    @functools.cached_property
    def outputs(self) -> list[Output]:
        """The outputs that have a Keras loss of their own."""
        # The only place where Keras says which loss object serves which output.
        compiled = getattr(self.model, "_compile_loss", None)
        flat = getattr(compiled, "_flat_losses", None) or []
        names = getattr(self.model, "output_names", None)
        _, y, _ = self.batch()
        outputs = []
        for path, loss, _, name in flat:
            try:
                predicted = _follow(self.tensors, path)
                target, few = _follow(self.y, path), _follow(y, path)
            except (KeyError, IndexError, TypeError):
                continue
            outputs.append(
                Output(
                    name=str(name if len(flat) > 1 else (names or ["output"])[0]),
                    target=np.asarray(target),
                    predicted=np.asarray(predicted, np.float64),
                    batch_target=np.asarray(few),
                    loss=loss,
                    kind=loss_name(loss),
                    from_logits=bool(loss_option(loss, "from_logits")),
                    label_smoothing=float(loss_option(loss, "label_smoothing") or 0),
                    activation=_activation(self.model, path),
                )
            )
        return outputs


def _limit(batches: Batches) -> int:
    return STREAMED if batches.streamed else ROWS


def _batches_of(data: Any, name: str, model: Any) -> Batches:
    parts = (data,)
    if isinstance(data, list | tuple):
        parts = keras.utils.unpack_x_y_sample_weight(data)
    return Batches(*parts, model=model, name=name)


def _follow(structure: Any, path: Any) -> Any:
    for step in path or ():
        if not isinstance(structure, dict | list | tuple):
            break
        structure = structure[step]
    return structure


def _activation(model: Any, path: Any) -> str:
    """Names the last activation of the output at a path."""
    symbols: Any = getattr(model, "outputs", None)
    try:
        single = isinstance(symbols, list) and len(symbols) == 1
        symbol = symbols[0] if single else _follow(model.output, path)
    except (AttributeError, ValueError, KeyError, IndexError, TypeError):
        return ""
    return last_activation(symbol)
