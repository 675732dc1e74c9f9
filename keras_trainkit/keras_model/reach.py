"""What can be reached from a Keras object: through it, its parts and its functions."""

import functools
import inspect
import random
import sys
import types
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
VARIABLES = (keras.Variable, tf.Variable)
_CONTAINERS = (dict, list, tuple, set, frozenset)
# What keeps variables of its own, or other things that do.
_OWNERS = (
    keras.layers.Layer,
    keras.optimizers.Optimizer,
    keras.metrics.Metric,
    keras.losses.Loss,
    keras.random.SeedGenerator,
    keras.regularizers.Regularizer,
    keras.initializers.Initializer,
    keras.constraints.Constraint,
    keras.optimizers.schedules.LearningRateSchedule,
    tf.Module,
    tf.random.Generator,
)
# A longer one is data.
_LONGEST = 10_000


def reached(root: Any) -> Iterator[Any]:
    """Walks over all that may hold state, each object once.

    The way leads through attributes, containers, closures and the names that a
    user's own functions and methods refer to; it ends at variables and at whatever
    comes from an installed package and is no part of Keras.

    Args:
        root: A model, a layer, an optimizer or a function.

    Yields:
        Variables, random generators, parts of Keras, and objects of the user's own.
    """
    waiting: list[Any] = [root]
    seen: set[int] = set()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, VARIABLES):
            yield item
            continue
        if not isinstance(item, _CONTAINERS):
            yield item
        waiting += _held_by(item)


def _held_by(item: Any) -> list[Any]:
    """What one object refers to, as far as it may lead to variables."""
    if isinstance(item, _CONTAINERS):
        values = item.values() if isinstance(item, dict) else item
        if len(item) > _LONGEST:
            return []
        return [value for value in values if _leads_on(value)]
    if isinstance(item, functools.partial):
        held = [item.func, *item.args, *item.keywords.values()]
        return [value for value in held if _leads_on(value)]
    if isinstance(item, types.MethodType):
        return [item.__self__, item.__func__]
    if isinstance(item, types.FunctionType):
        return [] if _is_foreign(item.__module__) else _named_by(item)
    if isinstance(item, tf.random.Generator):
        return [item.state]
    if isinstance(item, GENERATORS):
        return []
    held = [value for value in _attributes(item) if _leads_on(value)]
    for owner in type(item).__mro__:
        if not _is_foreign(owner.__module__):
            for function in vars(owner).values():
                if isinstance(function, types.FunctionType):
                    held += _named_by(function)
    return held


def _attributes(item: Any) -> list[Any]:
    found = list(getattr(item, "__dict__", {}).values())
    # Lists that Keras tracks are lists; its layers list them behind properties.
    if isinstance(item, (keras.layers.Layer, keras.optimizers.Optimizer)):
        found += list(item.variables)
    return found


def _named_by(function: Any) -> list[Any]:
    """The variables and their owners that a user's function refers to by name."""
    try:
        named = inspect.getclosurevars(function)
    except (TypeError, ValueError):
        return []
    held = [*named.nonlocals.values(), *named.globals.values()]
    return [value for value in held if _leads_on(value)]


def _leads_on(value: Any) -> bool:
    if isinstance(value, VARIABLES + GENERATORS + _CONTAINERS + _OWNERS):
        return True
    if isinstance(value, functools.partial):
        return True
    if isinstance(value, (types.FunctionType, types.MethodType)):
        return not _is_foreign(value.__module__)
    if isinstance(value, (type, types.ModuleType)):
        return False
    # An object of the user's own that a layer or a loss holds.
    return hasattr(value, "__dict__") and not _is_foreign(type(value).__module__)


@functools.cache
def _is_foreign(module: str | None) -> bool:
    """Whether a module is installed, or ours, and not the user's own."""
    package = (module or "builtins").partition(".")[0]
    if package == __name__.partition(".")[0] or package in sys.stdlib_module_names:
        return package != "__main__"
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file
