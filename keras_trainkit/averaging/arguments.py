"""Checks of what the averaging is asked for."""

from typing import Any

import keras

from keras_trainkit.arguments import check_integer, received
from keras_trainkit.keras_model.optimizers import optimizers_of, parts_of_optimizer


def check_optimizers(model: Any) -> None:
    """Refuses a model whose optimizer averages weights itself."""
    for optimizer in optimizers_of(model):
        for one in parts_of_optimizer(optimizer):
            if getattr(one, "use_ema", False):
                raise ValueError(
                    "The optimizer must not average weights itself, for it would "
                    "overwrite them when training ends. "
                    + received("use_ema", one.use_ema)
                )


def check_points(value: Any) -> Any:
    """Returns `every` if it is an integer >= 1 or "epoch", else says why not."""
    if value == "epoch":
        return value
    if isinstance(value, str):
        raise ValueError(
            '`every` must be an integer >= 1 or "epoch". ' + received("every", value)
        )
    return check_integer("every", value, 1)


def check_optional(name: str, value: Any, minimum: int) -> int | None:
    """Returns a value that is `None` or an integer >= `minimum`."""
    return None if value is None else check_integer(name, value, minimum)


def check_checkpoint(value: Any) -> Any:
    """Returns a `ModelCheckpoint` that saves at the ends of epochs, or `None`."""
    if value is not None and (
        not isinstance(value, keras.callbacks.ModelCheckpoint)
        or value.save_freq != "epoch"
    ):
        raise ValueError(
            '`checkpoint` must be None or a `ModelCheckpoint` with save_freq="epoch". '
            + received("checkpoint", type(value).__name__)
        )
    return value


def check_name(value: Any) -> str:
    """Returns `name` if it can be part of a log's name, else says why not."""
    if not isinstance(value, str) or not value.isidentifier():
        raise ValueError(
            "`name` must be a word of letters, digits and underscores. "
            + received("name", value)
        )
    return value
