"""Compares the search space of a stored project with that of the program now."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

Space = Sequence[Mapping[str, Any]]


def space_changes(before: Space, after: Space) -> list[str]:
    """Says what is different between two spaces, one line a hyperparameter.

    Args:
        before: The stored `HyperParameters.get_config()["space"]`.
        after: The one of the program now.
    """
    old, new = _by_key(before), _by_key(after)
    lines = [f"{_name(key)}: gone, was {_told(old[key])}" for key in old.keys() - new]
    lines += [f"{_name(key)}: new, {_told(new[key])}" for key in new.keys() - old]
    for key in old.keys() & new.keys():
        if _range(old[key]) != _range(new[key]):
            lines.append(f"{_name(key)}: {_told(old[key])} -> {_told(new[key])}")
    return sorted(lines)


def is_widening(before: Space, after: Space) -> bool:
    """Whether every value that was possible before still is."""
    old, new = _by_key(before), _by_key(after)
    return old.keys() <= new.keys() and all(
        _contains(new[key], old[key]) for key in old
    )


def _by_key(space: Space) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {entry_key(entry["config"]): entry for entry in space}


def entry_key(config: Mapping[str, Any]) -> tuple[str, str]:
    """What makes two hyperparameters the same: name and conditions."""
    # As text: JSON makes lists of tuples.
    return config["name"], json.dumps(config["conditions"], sort_keys=True)


def _name(key: tuple[str, str]) -> str:
    return key[0]


def _range(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    config = entry["config"]
    values = config.get("values", config.get("value"))
    return (
        entry["class_name"],
        config.get("min_value"),
        config.get("max_value"),
        config.get("step"),
        config.get("sampling"),
        list(values) if isinstance(values, (list, tuple)) else values,
    )


def _told(entry: Mapping[str, Any]) -> str:
    kind, low, high, step, sampling, values = _range(entry)
    if low is None:
        return f"{kind} {values}" if values is not None else kind
    words = f"{kind} {low:g} to {high:g}"
    words += (
        f" step {step:g}" if step is not None and (kind, step) != ("Int", 1) else ""
    )
    return words + (f" ({sampling})" if sampling != "linear" else "")


def _contains(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    kind, low, high, step, sampling, values = _range(old)
    new_kind, new_low, new_high, new_step, new_sampling, new_values = _range(new)
    if kind != new_kind:
        return False
    if low is not None:
        # A log range that goes below zero would be refused when it is made.
        if not (new_low <= low and high <= new_high):
            return False
        if step is None or new_step is None:
            return new_step is None
        if sampling != new_sampling or sampling == "reverse_log":
            # A reverse grid hangs on both of its ends.
            return _range(new) == _range(old)
        # Where the first two values lie on a grid, the others do.
        second = low * step if sampling == "log" else low + step
        return all(_is_on_grid(one, new) for one in (low, second))
    if isinstance(values, list):
        return all(value in new_values for value in values)
    return values == new_values


def _is_on_grid(value: float, entry: Mapping[str, Any]) -> bool:
    """Whether a value is one of those that a range steps through from its lower end."""
    _, low, _, step, sampling, _ = _range(entry)
    if sampling == "log":
        steps = math.log(value / low) / math.log(step)
    else:
        steps = (value - low) / step
    return math.isclose(steps, round(steps), abs_tol=1e-6)
