"""How far apart the numbers lie that the first layers with weights receive."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_trainkit.keras_model.layers import all_layers, could_learn, is_leaf

# While they train, they scale whatever they receive.
_SCALING = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.RMSNormalization,
)


def received_spread(model: Any, x: Any) -> float:
    """Measures the deviation of what the layers that learn from the inputs receive.

    These are the first layer with weights that can be trained, embeddings apart, and
    every other that receives an input as it is. What stands in front of them
    (Normalization, Rescaling, a layer of the user's own) has done its work. Of layers
    that scale what they receive the deviation counts as 1.

    Args:
        model: A built Keras model of any kind; nothing that Keras lists of it
            changes.
        x: Inputs, a few hundred examples, arrays in any nesting.

    Returns:
        The largest of these deviations, NaN if it is not known.
    """
    parts = dict(enumerate(map(np.asarray, keras.tree.flatten(x))))
    spreads: list[float] = []
    scope = keras.StatelessScope([(v, v.value) for v in model.variables])
    with scope, _tapped(model, parts, spreads):
        model(keras.tree.map_structure(keras.ops.array, x), training=False)
    # `max` of a NaN depends on its place.
    return math.nan if np.isnan(spreads).any() else max(spreads, default=math.nan)


@contextlib.contextmanager
def _tapped(
    model: Any, parts: dict[int, np.ndarray], spreads: list[float]
) -> Iterator[None]:
    """Adds to `spreads` while layers are called."""
    layers = [
        layer
        for layer in all_layers(model)
        if (isinstance(layer, keras.layers.RNN) or _is_plain(layer))
        and not isinstance(layer, keras.layers.Embedding)
        and (could_learn(layer) or isinstance(layer, _SCALING))
        and "call" not in vars(layer)
    ]

    def watch(layer: Any) -> None:
        call = layer.call

        def noted(*args: Any, **kwargs: Any) -> Any:
            received = _values(next(iter(keras.tree.flatten((args, kwargs))), None))
            if received is None:
                if not spreads:
                    spreads.append(math.nan)
                return call(*args, **kwargs)
            same = [place for place, part in parts.items() if _same(part, received)]
            scales = isinstance(layer, _SCALING)
            if same or not spreads:
                spreads.append(1.0 if scales else float(np.std(received)))
            if scales:
                # With fresh statistics it hands on its input nearly as it is.
                for place in same:
                    del parts[place]
            return call(*args, **kwargs)

        layer.__dict__["call"] = noted

    try:
        for layer in layers:
            watch(layer)
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("call", None)


def _is_plain(layer: Any) -> bool:
    # Cells run inside a loop, where nothing can be read.
    return is_leaf(layer) and not hasattr(layer, "state_size")


def _same(part: np.ndarray, received: np.ndarray) -> bool:
    return bool(
        part.size == received.size
        and part.dtype.kind in "fiub"
        # Half precision keeps three digits.
        and np.allclose(part.ravel(), received.ravel(), rtol=2e-3, equal_nan=True)
    )


def _values(tensor: Any) -> np.ndarray | None:
    try:
        array = np.asarray(keras.ops.convert_to_numpy(tensor))
        return np.asarray(array, np.float64) if array.ndim else None
    except (TypeError, ValueError, NotImplementedError):  # traced, or no numbers
        return None
