"""The model and the data that the checks look at, read once."""

import dataclasses
import functools
import math
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
from keras_trainkit.preflight.observation import Observation, observe
from keras_trainkit.problems.of_model import (
    NoLossError,
    build_layers,
    build_loss,
    has_own_train_step,
)

ROWS = 20_000  # rows that the data checks look at
STREAMED = 2_048  # rows read from a dataset
BATCH = 64  # rows that the model is run on, of inputs that are not large
FEW = 8  # rows of large ones
ENTRIES = 2**20  # numbers in the inputs of a batch from which they are large


class UnjudgedError(Exception):
    """A check cannot judge; the message says why."""


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
        self.shared: dict[str, Any] = {}  # what one check made for others too
        self.failure, self.loss_failure, self.no_loss = "", "", ""
        self._build()

    def batch(self, rows: int | None = None) -> tuple[Any, Any, Any]:
        """Returns some rows of inputs, targets and weights, drawn once by the seed.

        Args:
            rows: How many, by default 64, fewer of large inputs; a model of fixed
                batch size gets just that.
        """
        wide = sum(
            math.prod(leaf.shape[1:])
            for leaf in tf.nest.flatten(self.x)
            if leaf is not None
        )
        rows = rows or max(FEW, min(BATCH, ENTRIES // max(wide, 1)))
        random = np.random.default_rng(self.seed)
        chosen = np.sort(random.permutation(self.rows)[: self.fixed or rows])
        x, y, weight = (
            keep_rows(part, chosen) for part in (self.x, self.y, self.sample_weight)
        )
        return x, y, weight

    @functools.cached_property
    def observation(self) -> Observation:
        """What the layers receive of the batch, and what the model predicts."""
        return observe(self.model, self.batch()[0])

    @property
    def tensors(self) -> Any:
        """The prediction for the batch, as it leaves the model in inference mode.

        Raises:
            UnjudgedError: If the model cannot be run on it.
        """
        failure = self.failure or self.observation.failure
        if failure:
            raise UnjudgedError(f"the model cannot be run on x: {failure}")
        return self.observation.predicted

    def need_loss(self) -> None:
        """Does nothing if the loss can be computed.

        Raises:
            UnjudgedError: With the reason, if it cannot.
        """
        if self.no_loss:
            raise UnjudgedError(self.no_loss)
        if self.failure or self.loss_failure:
            failure = self.failure or self.loss_failure
            raise UnjudgedError(f"the loss cannot be computed: {failure}")

    def _build(self) -> None:
        if not getattr(self.model, "compiled", False):
            raise ValueError(
                f"`model` must be compiled first. {received('model.compiled', False)}"
            )
        x, y, weight = self.batch(2)
        custom = has_own_train_step(self.model)
        reason = "train_step is custom" if custom else "the model has no loss"
        try:
            build_layers(self.model, x)
            build_loss(self.model, x, y, weight)
        except (NotImplementedError, NoLossError):
            self.no_loss = reason
        except Exception as error:  # of any kind: it is the user's model
            lines = str(error).strip().splitlines() or [type(error).__name__]
            seen = self.observation
            if seen.failure:
                self.failure = seen.failure
            else:
                self.loss_failure = lines[0][:160]

    @functools.cached_property
    def outputs(self) -> list[Output]:
        """The outputs that have a Keras loss of their own."""
        if self.no_loss:
            raise UnjudgedError(self.no_loss)
        # The only place where Keras says which loss object serves which output.
        compiled = getattr(self.model, "_compile_loss", None)
        flat = getattr(compiled, "_flat_losses", None) or []
        names = list(getattr(self.model, "output_names", None) or [])
        _, y, _ = self.batch()
        outputs = []
        for place, (path, loss, _, name) in enumerate(flat):
            try:
                predicted = _follow(self.tensors, path, names)
                target, few = (
                    _target(part, path, names, place, len(flat)) for part in (self.y, y)
                )
            except (KeyError, IndexError, TypeError, ValueError):
                continue
            if target is None:
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
                    activation=_activation(self.model, path, names),
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


def _follow(structure: Any, path: Any, names: list[str]) -> Any:
    """Follows a path of Keras' losses, which names what a list only numbers."""
    for step in path or ():
        if isinstance(structure, list | tuple):
            structure = structure[names.index(step) if isinstance(step, str) else step]
        elif isinstance(structure, dict):
            if isinstance(step, int):
                named = set(names) == set(structure)
                step = (names if named else sorted(structure))[step]
            structure = structure[step]
    return structure


def _target(y: Any, path: Any, names: list[str], place: int, losses: int) -> Any:
    leaves = tf.nest.flatten(y)
    if isinstance(y, list | tuple) and len(leaves) == losses < len(names):
        return leaves[place]  # only what has a loss has targets
    return _follow(y, path, names)


def _activation(model: Any, path: Any, names: list[str]) -> str:
    """Names the last activation of the output at a path."""
    symbols: Any = getattr(model, "outputs", None)
    try:
        single = isinstance(symbols, list) and len(symbols) == 1
        symbol = symbols[0] if single else _follow(model.output, path, names)
    except (AttributeError, ValueError, KeyError, IndexError, TypeError):
        return ""
    return last_activation(symbol)
