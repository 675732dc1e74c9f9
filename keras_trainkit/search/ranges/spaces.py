"""Ranges of the hyperparameters that nearly every training has.

Each function declares one hyperparameter on KerasTuner's `hp` and returns its value,
so that every KerasTuner tuner, and a net built by hand, works with it.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

from keras_trainkit.arguments import check_number, received

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

MOMENTA = (0.5, 0.9, 0.95, 0.99)


class StandardSpace(NamedTuple):
    """The values that `standard_space` declared.

    Args:
        learning_rate: Step length of the update rule, > 0.
        l2: Strength of the L2 penalty, > 0.
        momentum: One of 0.5, 0.9, 0.95 and 0.99.
        dropout: Share of the units dropped, in [0, 1).
    """

    learning_rate: float
    l2: float
    momentum: float
    dropout: float


def log_uniform(
    hp: "HyperParameters",
    name: str,
    low: float,
    high: float,
    *,
    default: float | None = None,
) -> float:
    """Declares a value whose logarithm is uniform.

    That is `10 ** uniform(log10(low), log10(high))`, for whatever acts by its factor:
    learning rates, regularisation strengths, decay times. Every decade gets the same
    share of the trials; a uniform draw from 1e-6 to 10 would spend 90 % above 1.

    Args:
        hp: KerasTuner's hyperparameters, as a model-building function receives them.
        name: Name of the hyperparameter.
        low: Lower end of the range, > 0.
        high: Upper end of the range, > `low`.
        default: Value of a build without a search, within the range; its geometric
            mean if `None`.

    Returns:
        The value, in [`low`, `high`]; `None` inside a conditional scope that is not
        active, as KerasTuner has it.

    Raises:
        ValueError: If the range is empty or reaches 0, or does not hold `default`.

    Example:
        ```python
        def build_model(hp):
            rate = tk.search.log_uniform(hp, "learning_rate", 1e-6, 1e1)
            ...
        ```

    Reference:
        [Bergstra and Bengio, 2012, Random Search for Hyper-Parameter Optimization,
        section 2.2](https://jmlr.org/papers/v13/bergstra12a.html)
    """
    name = _check_name(name)
    low, high = _check_range(low, high, open_minimum=True)
    if default is None:
        default = min(max(math.sqrt(low) * math.sqrt(high), low), high)
    default = check_number("default", default, low, high)
    return hp.Float(name, low, high, sampling="log", default=default)


def momentum(hp: "HyperParameters", name: str = "momentum") -> float:
    """Declares a momentum: 0.5, 0.9, 0.95 or 0.99.

    The four lie about evenly by what counts, the number of steps that a gradient
    goes on acting: 2, 10, 20 and 100.

    Args:
        hp: KerasTuner's hyperparameters.
        name: Name of the hyperparameter.

    Returns:
        One of the four; 0.9 in a build without a search.

    Example:
        ```python
        keras.optimizers.SGD(0.1, momentum=tk.search.momentum(hp))
        ```

    Reference:
        [Stanford CS231n, Neural Networks part 3](https://cs231n.github.io/neural-networks-3/)
    """
    return hp.Choice(_check_name(name), list(MOMENTA), ordered=True, default=0.9)


def dropout(
    hp: "HyperParameters",
    name: str = "dropout",
    low: float = 0.0,
    high: float = 0.7,
) -> float:
    """Declares a share of units to drop, uniform between its ends: linear, not log.

    Args:
        hp: KerasTuner's hyperparameters.
        name: Name of the hyperparameter.
        low: Smallest share, in [0, 1).
        high: Largest share, > `low` and < 1.

    Returns:
        The share, in [`low`, `high`]; `low` in a build without a search.

    Raises:
        ValueError: If the range is empty or not within [0, 1).

    Example:
        ```python
        keras.layers.Dropout(tk.search.dropout(hp))
        ```
    """
    name = _check_name(name)
    low, high = _check_range(low, high, maximum=1.0)
    return hp.Float(name, low, high, default=low)


def standard_space(
    hp: "HyperParameters",
    *,
    learning_rate: tuple[float, float] = (1e-6, 1e1),
    l2: tuple[float, float] = (1e-7, 1e0),
) -> StandardSpace:
    """Declares learning rate, L2 strength, momentum and dropout, wide enough to begin.

    Args:
        hp: KerasTuner's hyperparameters.
        learning_rate: Ends of the rate's range, log-uniform.
        l2: Ends of the penalty's range, log-uniform.

    Returns:
        The four values by name.

    Raises:
        ValueError: If a range is empty or reaches 0.

    Example:
        ```python
        def build_model(hp):
            space = tk.search.standard_space(hp)
            penalty = keras.regularizers.L2(space.l2)
            ...
            optimizer = keras.optimizers.SGD(space.learning_rate, space.momentum)
            ...
        ```
    """
    for name, ends in (("learning_rate", learning_rate), ("l2", l2)):
        if not isinstance(ends, tuple | list) or len(ends) != 2:
            raise ValueError(
                f"`{name}` must be the two ends of a range. {received(name, ends)}"
            )
    return StandardSpace(
        log_uniform(hp, "learning_rate", *learning_rate),
        log_uniform(hp, "l2", *l2),
        momentum(hp),
        dropout(hp),
    )


def _check_name(name: str) -> str:
    if not isinstance(name, str) or not name:
        raise ValueError(f"`name` must be a non-empty string. {received('name', name)}")
    return name


def _check_range(
    low: float,
    high: float,
    maximum: float | None = None,
    *,
    open_minimum: bool = False,
) -> tuple[float, float]:
    low = check_number("low", low, 0.0, open_minimum=open_minimum)
    high = check_number(
        "high", high, low, maximum, open_minimum=True, open_maximum=True
    )
    return low, high
