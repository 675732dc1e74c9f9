"""What is to be tested: optimizers, each made anew as often as is needed."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras.optimizers import Optimizer

from keras_trainkit.arguments import check_number, received


@dataclasses.dataclass(frozen=True)
class Candidate:
    """An optimizer under test.

    Args:
        label: Its name in tables and pictures, unique in a run.
        rule: What it is without its rate.
        rate: Its rate, NaN for a schedule.
        make: Makes it, a new one at each call.
    """

    label: str
    rule: str
    rate: float
    make: Callable[[], Optimizer]


def candidates(optimizers: Any) -> list[Candidate]:
    """Returns what a user passed as `optimizers`.

    Raises:
        ValueError: If something is not an optimizer, or none is given.
    """
    found = []
    for label, given in _named("optimizers", optimizers):
        optimizer = _instance(given)
        make = _copier(optimizer, given)
        rate = _rate(optimizer)
        words = _options(optimizer)
        rate_words = f"{rate:.3g}" if math.isfinite(rate) else _schedule(optimizer)
        rule = label or _called(optimizer, words)
        full = label or _called(optimizer, [rate_words, *words])
        found.append(Candidate(full, rule, rate, make))
    return _distinct(found)


def candidates_at(rules: Any, rates: Sequence[float]) -> list[Candidate]:
    """Returns each rule at each rate.

    Args:
        rules: Optimizers, classes, names, or callables of a rate.
        rates: The rates, each > 0.

    Raises:
        ValueError: If something is none of these, or an optimizer has a schedule.
    """
    found = []
    for label, given in _named("rules", rules):
        make_at = _maker_at(given)
        first = make_at(rates[0])
        if not isinstance(first, Optimizer):
            raise ValueError(
                "A callable in `rules` must return a Keras optimizer. "
                + received("rules", given)
            )
        rule = label or _called(first, _options(first))
        found += [
            Candidate(
                f"{rule} at {rate:.3g}", rule, rate, functools.partial(make_at, rate)
            )
            for rate in rates
        ]
    return _distinct(found)


def check_rates(rates: Any) -> list[float]:
    """Returns rates as floats in rising order.

    Raises:
        ValueError: If one is not a positive number, or none is given.
    """
    if isinstance(rates, str | bytes) or not isinstance(rates, Iterable):
        raise ValueError(f"`rates` must be several rates. {received('rates', rates)}")
    found = sorted(
        {
            check_number(
                "rates",
                one.item() if isinstance(one, np.generic) else one,
                0,
                open_minimum=True,
            )
            for one in rates
        }
    )
    if not found:
        raise ValueError(f"`rates` must hold at least one. {received('rates', rates)}")
    return found


def _named(name: str, given: Any) -> list[tuple[str, Any]]:
    if isinstance(given, Mapping):
        pairs = [(str(label), one) for label, one in given.items()]
    elif isinstance(given, list | tuple):
        pairs = [("", one) for one in given]
    else:
        pairs = [("", given)]
    if not pairs:
        raise ValueError(f"`{name}` must hold at least one. {received(name, given)}")
    return pairs


def _instance(given: Any) -> Optimizer:
    made = given
    try:
        if isinstance(given, str):
            made = keras.optimizers.get(given)
        elif isinstance(given, type) or not isinstance(given, Optimizer):
            made = given()
    except Exception as error:
        raise ValueError(
            "An optimizer must be a Keras optimizer, its class or name, or a callable "
            f"that makes one ({error}). {received('optimizers', given)}"
        ) from error
    if not isinstance(made, Optimizer):
        raise ValueError(
            "An optimizer must be a Keras optimizer, its class or name, or a callable "
            f"that makes one. {received('optimizers', given)}"
        )
    return made


def _copier(optimizer: Optimizer, given: Any) -> Callable[[], Optimizer]:
    if callable(given) and not isinstance(given, Optimizer):
        return lambda: given()
    if isinstance(given, str):
        return lambda: keras.optimizers.get(given)
    kind = type(optimizer)
    return lambda: kind.from_config(optimizer.get_config())


def _maker_at(given: Any) -> Callable[[float], Optimizer]:
    if isinstance(given, str):
        given = keras.optimizers.get(given)
    if isinstance(given, type):
        return lambda rate: given(learning_rate=rate)
    if isinstance(given, Optimizer):
        if not math.isfinite(_rate(given)):
            raise ValueError(
                "The rate of an optimizer with a schedule cannot be set: pass a "
                "callable of the rate. " + received("rules", given)
            )
        kind, config = type(given), given.get_config()
        return lambda rate: kind.from_config({**config, "learning_rate": rate})
    if callable(given):
        return given
    raise ValueError(
        "A rule must be a Keras optimizer, its class or name, or a callable of a "
        f"rate. {received('rules', given)}"
    )


def _rate(optimizer: Optimizer) -> float:
    rate = optimizer._learning_rate
    if callable(rate) and not isinstance(rate, keras.Variable):
        return math.nan
    return float(optimizer.get_config()["learning_rate"])


def _schedule(optimizer: Optimizer) -> str:
    return type(optimizer._learning_rate).__name__


def _called(optimizer: Optimizer, words: Sequence[str]) -> str:
    kind = type(optimizer)
    theirs = kind.__module__.startswith("keras.")
    name = ("keras." if theirs else "") + kind.__name__
    return f"{name}({', '.join(words)})" if words else name


def _options(optimizer: Optimizer) -> list[str]:
    """Its arguments that are not those it has by default, besides the rate."""
    config = optimizer.get_config()
    try:
        usual = type(optimizer)().get_config()
    except Exception:  # a class that cannot be made without arguments has no usual
        usual = {}
    return [
        f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value!r}"
        for name, value in config.items()
        if name not in ("name", "learning_rate")
        and usual.get(name) != value
        and isinstance(value, bool | int | float | str)
    ]


def _distinct(found: list[Candidate]) -> list[Candidate]:
    seen: dict[str, int] = {}
    distinct = []
    for one in found:
        seen[one.label] = seen.get(one.label, 0) + 1
        if seen[one.label] > 1:
            number = f" ({seen[one.label]})"
            one = dataclasses.replace(
                one, label=one.label + number, rule=one.rule + number
            )
        distinct.append(one)
    return distinct
