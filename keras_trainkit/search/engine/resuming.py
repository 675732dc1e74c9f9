"""Whether a stored search may go on with the program as it is now."""

from collections.abc import Mapping
from typing import Any

from keras_trainkit.arguments import received
from keras_trainkit.search.engine.space_change import (
    Space,
    entry_key,
    is_widening,
    space_changes,
)
from keras_trainkit.search.engine.stored_state import FORMAT


def check_course(now: Mapping[str, Any], state: Mapping[str, Any], place: str) -> None:
    """Raises a `ValueError` unless the stored search is the one asked for.

    Args:
        now: What decides the course of a search, by name.
        state: The stored state.
        place: The project's directory, for the error.
    """
    way_out = (
        "Choose another project_name, or pass overwrite=True to begin again. "
        + received("project", place)
    )
    if state.get("keras_trainkit") != FORMAT:
        raise ValueError(
            "The project must be one that this version of keras_trainkit wrote, to go "
            f"on with it. {way_out}"
        )
    then = state["course"]
    changed = [
        f"{name} was {then.get(name)!r} and is {now.get(name)!r}"
        for name in sorted(now.keys() | then.keys())
        if now.get(name) != then.get(name)
    ]
    if changed:
        raise ValueError(
            f"A stored search must go on as it began: {'; '.join(changed)}. {way_out}"
        )


def check_space(now: Space, then: Space, rule: str, place: str) -> bool:
    """Compares the declared spaces.

    Args:
        now: The space that the program declares.
        then: The one stored.
        rule: `"error"` or `"widen"`.
        place: The project's directory, for the error.

    Returns:
        Whether the search is to go on in a wider space.

    Raises:
        ValueError: If they differ in a way that the rule forbids.
    """
    changes = space_changes(then, now)
    if not changes:
        return False
    if rule == "widen" and is_widening(then, now):
        return True
    hint = (
        'on_changed_space="widen" takes only ranges that hold the stored ones'
        if rule == "widen"
        else 'on_changed_space="widen" would go on with wider ranges'
    )
    listed = "\n  ".join(changes)
    raise ValueError(
        "The search space must be the stored one to go on, but it changed:\n"
        f"  {listed}\n{hint}; another project_name or overwrite=True begins again. "
        f"{received('project', place)}"
    )


def widened_space(declared: Any, stored: Any) -> Any:
    """The declared `HyperParameters` and what trials brought to light besides."""
    known = {entry_key(hp.get_config()) for hp in declared.space}
    declared.merge(
        [hp for hp in stored.space if entry_key(hp.get_config()) not in known]
    )
    return declared
