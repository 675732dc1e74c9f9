"""How far apart the numbers lie that the first layers with weights receive."""

import math
from typing import Any

import keras
import numpy as np

from keras_trainkit.keras_model.calls import shown_calls
from keras_trainkit.keras_model.layers import could_learn, leaf_layers

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

    def note(layer: Any, call: Any, args: tuple, kwargs: dict) -> Any:
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

    scope = keras.StatelessScope([(v, v.value) for v in model.variables])
    with scope, shown_calls(filter(_counts, leaf_layers(model)), note):
        model(keras.tree.map_structure(keras.ops.array, x), training=False)
    # `max` of a NaN depends on its place.
    return math.nan if np.isnan(spreads).any() else max(spreads, default=math.nan)


def _counts(layer: Any) -> bool:
    return not isinstance(layer, keras.layers.Embedding) and (
        could_learn(layer) or isinstance(layer, _SCALING)
    )


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
