"""Argument checks whose errors name the argument, the rule and the value."""

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

LONG = 500  # characters of a value that an error shows


def received(name: str, value: Any) -> str:
    """Returns the closing words of every error: `Received: name=value`.

    What would fill a page is named by its shape, or cut.
    """
    return f"Received: {name}={_shown(value)}"


def check_integer(name: str, value: Any, minimum: int | None = None) -> int:
    """Returns `value` as an `int`, or says why it is not one.

    Args:
        name: The argument's name, for the error.
        value: What the user passed; booleans are refused.
        minimum: Smallest allowed value, `None` for no limit.

    Returns:
        The value as a Python `int`.

    Raises:
        ValueError: If `value` is not an integer, is below `minimum`, or does not fit
            into 64 bits.
    """
    rule = "an integer" if minimum is None else f"an integer >= {minimum}"
    if (
        isinstance(value, bool)
        or not isinstance(value, Integral)
        or (minimum is not None and value < minimum)
    ):
        raise ValueError(f"`{name}` must be {rule}. {received(name, value)}")
    if abs(int(value)) >= 2**63:
        raise ValueError(
            f"`{name}` must be an integer of 64 bits. {received(name, value)}"
        )
    return int(value)


def check_number(
    name: str,
    value: Any,
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    open_minimum: bool = False,
    open_maximum: bool = False,
) -> float:
    """Returns `value` as a `float`, or says why it is out of range.

    Args:
        name: The argument's name, for the error.
        value: What the user passed; booleans and NaN are refused.
        minimum: Lower end of the allowed range, `None` for no limit.
        maximum: Upper end of the allowed range, `None` for no limit.
        open_minimum: Whether `minimum` itself is refused.
        open_maximum: Whether `maximum` itself is refused.

    Returns:
        The value as a Python `float`.

    Raises:
        ValueError: If `value` is not a finite real number within the range.
    """
    limits = []
    if minimum is not None:
        limits.append(f"{'>' if open_minimum else '>='} {minimum:g}")
    if maximum is not None:
        limits.append(f"{'<' if open_maximum else '<='} {maximum:g}")
    rule = " ".join(["a finite number", " and ".join(limits)]).strip()
    error = ValueError(f"`{name}` must be {rule}. {received(name, value)}")
    if isinstance(value, bool) or not isinstance(value, Real):
        raise error
    try:
        number = float(value)
    except OverflowError:  # an integer beyond all floats
        raise error from None
    if not math.isfinite(number):
        raise error
    if minimum is not None and (
        number < minimum or (open_minimum and number == minimum)
    ):
        raise error
    if maximum is not None and (
        number > maximum or (open_maximum and number == maximum)
    ):
        raise error
    return number


def check_choice(name: str, value: Any, choices: Collection[Any]) -> Any:
    """Returns `value` if it is one of `choices`, else raises a `ValueError`."""
    if not any(_is_same(value, choice) for choice in choices):
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"`{name}` must be one of {allowed}. {received(name, value)}")
    return value


def check_flag(name: str, value: Any) -> bool:
    """Returns `value` if it is a boolean, else raises a `ValueError`."""
    if not isinstance(value, bool):
        raise ValueError(f"`{name}` must be True or False. {received(name, value)}")
    return value


def _shown(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and len(shape):
        return f"{type(value).__name__} of shape {shape}"
    try:
        words = repr(value)
    except Exception:  # of any kind: the error to come must not be lost to it
        return f"a {type(value).__name__}"
    return words if len(words) <= LONG else f"{words[:LONG]}..."


def _is_same(value: Any, choice: Any) -> bool:
    """Whether they are equal, as one answer: arrays compare entry by entry."""
    try:
        return value is choice or bool(value == choice)
    except Exception:  # whatever cannot be compared is another thing
        return False
