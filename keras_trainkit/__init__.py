"""What a practitioner does around `model.fit`: check, watch, update, search, combine.

The rooms load when they are first used: importing the package costs next to nothing,
and reading records and diagnosing them loads neither Keras nor TensorFlow.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

from keras_trainkit.version import __version__

if TYPE_CHECKING:
    from keras_trainkit.diagnosis.diagnose import diagnose
    from keras_trainkit.gradcheck.check import gradcheck
    from keras_trainkit.preflight.run import preflight

_ROOMS = (
    "callbacks",
    "diagnosis",
    "distributed",
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
    "testbed",
)
__all__ = ["__version__", "diagnose", "gradcheck", "preflight", *_ROOMS]


# Functions at the top, two of which share the name of their room.
_FUNCTIONS = {
    "diagnose": "diagnosis.diagnose",
    "gradcheck": "gradcheck.check",
    "preflight": "preflight.run",
}


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        module = importlib.import_module(f"{__name__}.{_FUNCTIONS[name]}")
        return getattr(module, name)
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_FUNCTIONS})


class _Package(types.ModuleType):
    """Leaves a name to its function when the room of that name is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _FUNCTIONS or not isinstance(value, types.ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
