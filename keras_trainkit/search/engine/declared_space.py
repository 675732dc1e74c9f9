"""Finds the search space that a model-building function declares."""

import copy
from typing import Any


def find_space(hypermodel: Any, oracle: Any) -> None:
    """Builds models until every conditional scope has been entered once.

    As `keras_tuner.Tuner` does, but with defaults where that draws values without a
    seed: the space found must be the same each time the program starts.

    Args:
        hypermodel: The `keras_tuner.HyperModel`.
        oracle: The oracle, which learns the space.
    """
    hp = oracle.get_space()
    hypermodel.declare_hyperparameters(hp)
    oracle.update_space(hp)
    entered: list[Any] = []
    waiting: list[Any] = []
    hp = oracle.get_space()
    while True:
        hypermodel.build(hp)
        oracle.update_space(hp)
        entered += [copy.deepcopy(scope) for scope in hp.active_scopes]
        waiting += [copy.deepcopy(scope) for scope in hp.inactive_scopes]
        waiting = [scope for scope in waiting if scope not in entered]
        if not waiting:
            return
        hp = oracle.get_space()
        for condition in waiting[0]:
            hp.values[condition.name] = condition.values[0]
        _fill_with_defaults(hp)


def _fill_with_defaults(hp: Any) -> None:
    for each in hp.space:
        if hp.is_active(each):
            hp.values.setdefault(each.name, each.default)
        else:
            hp.values.pop(each.name, None)
