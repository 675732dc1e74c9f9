"""What disturbs the value and the gradient of a test function."""

import dataclasses
import math
from typing import Any

import numpy as np

from keras_trainkit.arguments import check_choice, check_number, received

KINDS = ("none", "additive", "multiplicative", "masked", "cauchy")


@dataclasses.dataclass(frozen=True)
class Noise:
    """Noise on a function of one variable, drawn anew at each step.

    With a normal `n` and a Cauchy variable `c`:

    | kind | value becomes | gradient becomes |
    |---|---|---|
    | `"none"` | f | g |
    | `"additive"` | f + x * size * n | g + size * n |
    | `"multiplicative"` | f * exp(size * n) | g * exp(size * n) |
    | `"masked"` | 0 with probability `size` | 0 then |
    | `"cauchy"` | f + x * size * c | g + size * c |

    Args:
        kind: One of the table.
        size: Its size, >= 0; a probability below 1 for `"masked"`.

    Raises:
        ValueError: If the kind is not known or the size out of range.
    """

    kind: str = "none"
    size: float = 0.0

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        masked = self.kind == "masked"
        check_number("size", self.size, 0, 1 if masked else None, open_maximum=masked)

    def __str__(self) -> str:
        return self.kind if self.kind == "none" else f"{self.kind} {self.size:g}"

    @property
    def heavy(self) -> bool:
        """Whether it drowns a gradient of ordinary size, about 1."""
        return self.size > (0.5 if self.kind == "masked" else 5)

    def draws(
        self, generator: np.random.Generator, growth: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns what is multiplied with, and what is added to, each gradient.

        Args:
            generator: Where the numbers come from.
            growth: By what the size is multiplied at each step, shape `(steps,)`.

        Returns:
            Factors and summands, shape `(steps,)`.
        """
        steps = len(growth)
        factors, summands = np.ones(steps), np.zeros(steps)
        if self.kind == "additive":
            summands = self.size * growth * generator.standard_normal(steps)
        elif self.kind == "cauchy":
            summands = self.size * growth * generator.standard_cauchy(steps)
        elif self.kind == "multiplicative":
            factors = np.exp(self.size * growth * generator.standard_normal(steps))
        elif self.kind == "masked":
            factors = (generator.random(steps) >= self.size).astype("float64")
        return factors, summands

    def log_mean_factor(self) -> float:
        """Returns the logarithm of the mean factor of a value."""
        if self.kind == "multiplicative":
            return self.size**2 / 2
        return math.log1p(-self.size) if self.kind == "masked" else 0.0


NOISES = {
    str(noise): noise
    for noise in (
        Noise(),
        Noise("additive", 0.01),
        Noise("additive", 0.1),
        Noise("additive", 10.0),
        Noise("multiplicative", 0.1),
        Noise("multiplicative", 1.0),
        Noise("multiplicative", 10.0),
        Noise("masked", 0.1),
        Noise("masked", 0.9),
        Noise("cauchy", 1.0),
    )
}
"""The noises of the catalogue by name."""


def as_noise(noise: "Noise | str") -> Noise:
    """Returns a noise as it is, or that of the catalogue with that name."""
    if isinstance(noise, Noise):
        return noise
    if not isinstance(noise, str) or noise not in NOISES:
        known = ", ".join(repr(name) for name in NOISES)
        raise ValueError(
            f"`noise` must be a Noise or one of {known}. {received('noise', noise)}"
        )
    return NOISES[noise]
