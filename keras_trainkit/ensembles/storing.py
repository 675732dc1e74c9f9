"""Members as parts of the ensemble's configuration and file."""

import tempfile
from collections.abc import Sequence
from typing import Any

import keras

from keras_trainkit.keras_model.layers import all_layers

_LATER = "compile_without_building"


def stored(member: keras.Model) -> dict[str, Any]:
    """Returns the configuration of a member, its compilation included."""
    config = keras.saving.serialize_keras_object(member)
    optimizer = getattr(member, "optimizer", None)
    if optimizer is None or not optimizer.built:
        # Keras would build the optimizer when it restores it, and then warn that
        # the file has no state of it.
        config[_LATER] = config.pop("compile_config", None)
    return config


def restored(config: dict[str, Any], custom_objects: Any = None) -> keras.Model:
    """Returns the member that `stored` described, its weights not loaded yet."""
    config = dict(config)
    later = config.pop(_LATER, None)
    member = keras.saving.deserialize_keras_object(config, custom_objects)
    if later:
        member.compile(**keras.saving.deserialize_keras_object(later, custom_objects))
    return member


def share_layers(members: Sequence[keras.Model]) -> bool:
    """Says whether two members have a layer in common."""
    seen: set[int] = set()
    for member in members:
        layers = {id(layer) for layer in all_layers(member)}
        if layers & seen:
            return True
        seen |= layers
    return False


def copy_state(source: keras.Model, target: keras.Model) -> None:
    """Gives a model of the same kind the weights, tables and the optimizer's state."""
    target.set_weights(source.get_weights())
    for old, new in zip(all_layers(source), all_layers(target), strict=True):
        if hasattr(old, "save_assets"):  # such as the words of a TextVectorization
            with tempfile.TemporaryDirectory() as directory:
                old.save_assets(directory)
                new.load_assets(directory)
    optimizer = getattr(source, "optimizer", None)
    if optimizer is not None and optimizer.built:
        pairs = zip(optimizer.variables, target.optimizer.variables, strict=True)
        for old, new in pairs:
            new.assign(old)
