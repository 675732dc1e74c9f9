"""What may be asked of a chief, and in which form."""

from collections.abc import Callable
from typing import Any

from keras_trainkit.arguments import check_choice, check_integer, received
from keras_trainkit.search.engine.keras_tuner import Trial
from keras_trainkit.search.engine.stored_state import space_from, trial_from

_LONGEST_NAME = 200


def read_question(question: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Reads a question, once each part of it has its form.

    Args:
        question: `worker` (who asks), `ask` (what) and `with` (the words that belong
            to it, by name).

    Returns:
        The three, with trials and spaces made of the words that tell of them.

    Raises:
        ValueError: If a part has another form.
    """
    worker, ask = question.get("worker"), question.get("ask")
    if not isinstance(worker, str) or not 0 < len(worker) <= _LONGEST_NAME:
        raise ValueError(f"`worker` must be a name. {received('worker', worker)}")
    if not isinstance(ask, str) or ask not in _FORMS:
        known = ", ".join(_FORMS)
        raise ValueError(f"`ask` must be one of {known}. {received('ask', ask)}")
    form = _FORMS[ask]
    given = question.get("with")
    if not isinstance(given, dict) or given.keys() != form.keys():
        raise ValueError(
            f"`with` must hold {', '.join(form) or 'nothing'} to ask {ask}. "
            + received("with", given)
        )
    return worker, ask, {name: read(given[name]) for name, read in form.items()}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a text is wanted. {received('value', value)}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"a list is wanted. {received('value', value)}")
    return value


def _names(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"values by name are wanted. {received('value', value)}")
    return value


def _numbers(value: Any) -> dict[str, float]:
    return {name: _number(one) for name, one in _names(value).items()}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, float | int):
        raise ValueError(f"a number is wanted. {received('value', value)}")
    return value


def _count(value: Any) -> int:
    return check_integer("value", value, 0)


def _ended(value: Any) -> Trial:
    trial = trial_from(value)
    check_choice("status", trial.status, ("COMPLETED", "FAILED", "INVALID"))
    return trial


_FORMS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "join": {"space": _list, "course": _names},
    "beat": {},
    "lost": {"why": _text},
    "create_trial": {},
    "update_trial": {"trial_id": _text, "metrics": _numbers, "step": _count},
    "end_trial": {"trial": _ended},
    "get_trial": {"trial_id": _text},
    "get_space": {},
    "update_space": {"space": space_from},
    "get_best_trials": {"num_trials": _count},
}
