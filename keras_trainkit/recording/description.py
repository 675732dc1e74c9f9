"""What a record says about the run that it is of."""

import datetime
import platform
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.keras_model.layers import measured_layers
from keras_trainkit.keras_model.optimizers import optimizers_of
from keras_trainkit.recording.request import Request
from keras_trainkit.recording.surroundings import surroundings
from keras_trainkit.version import __version__


def description(model: Any, request: Request) -> dict[str, Any]:
    """Returns the metadata of a run that begins.

    Args:
        model: The model, built and compiled.
        request: What is measured.
    """
    lines: list[str] = []
    try:
        model.summary(print_fn=lambda text, **_: lines.append(text))
        optimizer = keras.saving.serialize_keras_object(model.optimizer)
    except Exception:
        # A custom model may have no summary, a custom optimizer no config; neither
        # is a reason to stop the training that is about to begin.
        optimizer = {"class_name": type(model.optimizer).__name__}
    inputs = getattr(model, "inputs", None) or []
    return {
        "status": "running",
        "started": now(),
        "updated": now(),
        **surroundings(model),
        "model_name": model.name,
        "model_summary": "\n".join(lines),
        "layers": [layer.label for layer in measured_layers(model)],
        "optimizer": _plain(optimizer),
        "loss_scaled": any(
            isinstance(one, keras.optimizers.LossScaleOptimizer)
            for one in optimizers_of(model)
        ),
        "input_shapes": {tensor.name: str(tensor.shape) for tensor in inputs},
        "versions": {
            "keras_trainkit": __version__,
            "keras": keras.version(),
            "tensorflow": tf.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "measured": measured(request),
    }


def measured(request: Request) -> dict[str, Any]:
    """What is measured, as the metadata say it."""
    return {
        **request.channels,
        "sample": request.sample,
        "instruments": [type(each).__name__ for each in request.instruments],
    }


def _plain(value: Any) -> Any:
    """The value with everything JSON has no word for as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def now() -> str:
    """This moment, in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
