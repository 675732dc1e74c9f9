"""What a practitioner does around `model.fit`: check, watch, update, search, combine.

The rooms load when they are first used, so that importing the package costs
little more than importing Keras.
"""

import importlib
from typing import Any

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "keras_trainkit works with Keras on the TensorFlow backend only. "
        "Set the environment variable KERAS_BACKEND=tensorflow before Keras is "
        f"imported. Received: keras.backend.backend()={keras.backend.backend()!r}"
    )

from keras_trainkit.version import __version__

_ROOMS = (
    "callbacks",
    "diagnosis",
    "ensembles",
    "layers",
    "optimizers",
    "probes",
    "record",
    "recording",
    "report",
    "schedules",
    "search",
    "second_order",
)
__all__ = ["__version__", "diagnose", "gradcheck", "preflight", *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "diagnose":
        return importlib.import_module(f"{__name__}.diagnosis").diagnose
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})


# Functions that share their room's name. Imported last and always: this file runs
# before any submodule, so the function holds the name in every order of imports.
from keras_trainkit.gradcheck.check import gradcheck  # noqa: E402
from keras_trainkit.preflight.run import preflight  # noqa: E402
