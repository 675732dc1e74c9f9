"""The first trace of Keras' own train function: once, where Keras makes it twice."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_trainkit.keras_model.calls import replaced_method
from keras_trainkit.keras_model.layers import all_layers


def built_ahead(model: Any) -> bool:
    """Gives the optimizer the variables that the first step would give it.

    TensorFlow traces a function twice that makes variables the first time. Keras' own
    step makes those of the optimizer, from all trainable weights, and nothing else
    decides what they are: there they can be made before.

    Args:
        model: A compiled model.

    Returns:
        Whether they were made now.
    """
    optimizer = model.optimizer
    if (
        optimizer is None
        or optimizer.built
        or not model.trainable_weights
        or not all(layer.built for layer in all_layers(model))
        or model.distribute_strategy.num_replicas_in_sync > 1
        or "train_step" in vars(model)
        or not _is_of_keras(model, keras.Model, "train_step")
        or not _is_of_keras(
            optimizer, keras.optimizers.Optimizer, "apply", "apply_gradients"
        )
    ):
        return False
    name = keras.name_scope(optimizer.name, caller=optimizer)
    with model.distribute_strategy.scope(), name:
        optimizer.build(model.trainable_weights)
    optimizer.built = True
    return True


@contextlib.contextmanager
def traces_counted(model: Any) -> Iterator[list[None]]:
    """Counts how often Keras' own train step is run through.

    Args:
        model: The model.

    Yields:
        A list with an entry for each time.
    """
    times: list[None] = []

    def counting(original: Any) -> Any:
        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            times.append(None)
            return original(*args, **kwargs)

        return compute_loss

    with replaced_method(model, "compute_loss", counting):
        yield times


def _is_of_keras(item: Any, base: type, *names: str) -> bool:
    return all(getattr(type(item), name) is getattr(base, name) for name in names)
