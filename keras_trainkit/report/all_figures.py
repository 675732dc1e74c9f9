"""Finds the figures that the files of `figures/` declare."""

import functools
import importlib
import pkgutil

from keras_trainkit.report import figures
from keras_trainkit.report.drawing.declaration import Declaration


@functools.cache
def all_figures() -> tuple[Declaration, ...]:
    """Returns the figures of the page, in their order."""
    found: list[Declaration] = []
    for module in pkgutil.iter_modules(figures.__path__, f"{figures.__name__}."):
        found += getattr(importlib.import_module(module.name), "FIGURES", ())
    return tuple(sorted(found, key=lambda one: one.place))
