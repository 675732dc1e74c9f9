"""What the layers of a model truly receive of its inputs, in one pass over a batch."""

import collections
import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.keras_model.calls import shown_calls
from keras_trainkit.keras_model.layers import leaf_layers
from keras_trainkit.problems.of_model import kept_losses
from keras_trainkit.problems.problem import inlined_functions

HEADS = 8  # layers with weights remembered with their outputs: the last ones
NORMALISING = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Normalization,
)


@dataclasses.dataclass
class Observation:
    """One pass in inference mode.

    Args:
        leaves: The inputs of the batch, flat.
        predicted: The prediction; `None` if the pass failed.
        failure: Why the model cannot be run on the batch, "" if it can.
        ids: What each embedding received, in the order of the calls.
        raw: For each input the layers with weights that it reaches unchanged, those
            that normalise it apart.
        normalised: The inputs that a normalising layer receives unchanged.
        first: The first layer with weights and what it received, `None` if no layer
            has weights; embeddings and normalising layers do not count.
        heads: The last layers with weights: layer, its input, its output.
    """

    leaves: list[np.ndarray]
    predicted: Any = None
    failure: str = ""
    ids: list[tuple[Any, np.ndarray]] = dataclasses.field(default_factory=list)
    raw: dict[int, list[Any]] = dataclasses.field(default_factory=dict)
    normalised: set[int] = dataclasses.field(default_factory=set)
    first: tuple[Any, np.ndarray] | None = None
    heads: collections.deque = dataclasses.field(
        default_factory=lambda: collections.deque(maxlen=HEADS)
    )

    def place_of(self, received: Any) -> int | None:
        """Returns which input this is, whatever its shape; `None` if it is none."""
        for place, leaf in enumerate(self.leaves):
            if leaf.size != received.size or leaf.dtype.kind not in "fiub":
                continue
            one: np.ndarray = leaf.astype(np.float64).ravel()
            other: np.ndarray = received.astype(np.float64).ravel()
            # Half precision keeps three digits.
            if np.allclose(one, other, rtol=2e-3, atol=0, equal_nan=True):
                return place
        return None

    def note(self, layer: Any, received: np.ndarray) -> None:
        """Takes up what a layer with weights received."""
        place = self.place_of(received)
        if isinstance(layer, keras.layers.Embedding):
            self.ids.append((layer, received))
            return
        if isinstance(layer, NORMALISING):
            if place is not None:
                self.normalised.add(place)
            return
        if self.first is None:
            self.first = layer, received
        if place is not None:
            self.raw.setdefault(place, []).append(layer)


def observe(model: Any, x: Any) -> Observation:
    """Runs the model on a batch and notes what reaches its layers.

    Args:
        model: A built Keras model; nothing of it changes.
        x: Inputs, arrays in any nesting.
    """
    seen = Observation([leaf for leaf in tf.nest.flatten(x) if leaf is not None])
    inputs = tf.nest.map_structure(
        lambda leaf: None if leaf is None else tf.convert_to_tensor(leaf), x
    )
    path: list[str] = []  # of open calls

    def note(layer: Any, call: Any, args: tuple, kwargs: dict) -> Any:
        path.append(layer.name)
        received = _values(next(iter(tf.nest.flatten((args, kwargs))), None))
        if received is not None:
            seen.note(layer, received)
        outputs = call(*args, **kwargs)
        if received is not None and not isinstance(layer, NORMALISING):
            seen.heads.append((layer, received, outputs))
        path.pop()
        return outputs

    weighted = [layer for layer in leaf_layers(model) if layer.variables]
    scope = keras.StatelessScope([(v, v.value) for v in model.variables])
    shown = shown_calls(weighted, note)
    with shown, scope, kept_losses(model), inlined_functions():
        try:
            seen.predicted = model(inputs, training=False)
        except Exception as error:  # of any kind: it is the user's model
            lines = str(error).strip().splitlines() or [type(error).__name__]
            place = f"in {path[-1]}: " if path else ""
            seen.failure = f"{place}{lines[0][:160]}"
    return seen


def _values(tensor: Any) -> np.ndarray | None:
    try:
        array = np.asarray(tensor)
    except (TypeError, ValueError, NotImplementedError):  # traced, or no tensor
        return None
    return array if array.ndim and array.dtype.kind in "fiub" else None
