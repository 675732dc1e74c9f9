"""Puts the values of a model back, bit for bit, after it has held others."""

import contextlib
from collections.abc import Iterator
from typing import Any

from keras_trainkit.keras_model.replicas import components


@contextlib.contextmanager
def kept(model: Any) -> Iterator[None]:
    """Remembers weights, other state and metrics on the device; restores them.

    Nothing is computed with the values, and each replica gets its own back.

    Args:
        model: A built model.

    Yields:
        Nothing.
    """
    found = {id(v): v for v in [*model.variables, *model.metrics_variables]}
    variables = [part for v in found.values() for part in components(v, model)]
    # No copies: TensorFlow makes one when a variable is written that was read.
    before = [part.read_value() for part in variables]
    try:
        yield
    finally:
        for part, value in zip(variables, before, strict=True):
            part.assign(value)
