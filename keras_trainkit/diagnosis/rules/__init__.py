"""The rules, one a file; each file's rules join the list by being there."""

import importlib
import inspect
import pkgutil

from keras_trainkit.diagnosis.rule import Rule


def _discovered() -> tuple[Rule, ...]:
    found = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name):
        content = vars(importlib.import_module(f"{__name__}.{module.name}"))
        for kind in content.values():
            own = inspect.isclass(kind) and issubclass(kind, Rule)
            if (
                own
                and not inspect.isabstract(kind)
                and kind.__module__ == (f"{__name__}.{module.name}")
            ):
                found[kind.code] = kind()
    return tuple(found.values())


RULES = _discovered()
