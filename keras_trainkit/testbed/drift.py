"""A test function that does not stay as it is."""

import dataclasses
from typing import Any

import numpy as np

from keras_trainkit.arguments import (
    check_choice,
    check_integer,
    check_number,
    received,
)


@dataclasses.dataclass(frozen=True)
class Drift:
    """How a function changes while it is minimised.

    | kind | every so many steps, with a normal `n` |
    |---|---|
    | `"none"` | nothing |
    | `"slope"` | the function is exp(size * n) times as steep as at first |
    | `"noise"` | the noise becomes exp(size * n) times as large as it was |
    | `"offset"` | the function moves by size * n |

    Args:
        kind: One of the table.
        size: Its size, >= 0.
        every: Steps between two changes, int >= 1.

    Raises:
        ValueError: If the kind is not known or a number out of range.
    """

    kind: str = "none"
    size: float = 0.0
    every: int = 10

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("none", "slope", "noise", "offset"))
        check_number("size", self.size, 0)
        check_integer("every", self.every, 1)

    def __str__(self) -> str:
        return self.kind

    def draws(
        self, generator: np.random.Generator, steps: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns steepness, growth of the noise and offset at each step.

        Args:
            generator: Where the numbers come from.
            steps: How many, int >= 1; one more is drawn, for the last point.

        Returns:
            Three arrays of shape `(steps + 1,)`; 1, 1 and 0 at first.
        """
        still = np.ones(steps + 1), np.ones(steps + 1), np.zeros(steps + 1)
        if self.kind == "none":
            return still
        changes: Any = np.arange(steps + 1) // self.every
        normal = self.size * generator.standard_normal(changes[-1] + 1)
        normal[0] = 0.0
        walk = np.cumsum(normal)
        steepness, growth, offset = still
        if self.kind == "slope":
            steepness = np.exp(normal)[changes]
        elif self.kind == "noise":
            growth = np.exp(walk)[changes]
        else:
            offset = walk[changes]
        return steepness, growth, offset


DRIFTS = {
    drift.kind: drift
    for drift in (
        Drift(),
        Drift("slope", 0.1),
        Drift("noise", 0.5),
        Drift("offset", 0.1),
    )
}
"""The drifts of the catalogue by name."""


def as_drift(drift: "Drift | str") -> Drift:
    """Returns a drift as it is, or that of the catalogue with that name."""
    if isinstance(drift, Drift):
        return drift
    if not isinstance(drift, str) or drift not in DRIFTS:
        known = ", ".join(repr(name) for name in DRIFTS)
        raise ValueError(
            f"`drift` must be a Drift or one of {known}. {received('drift', drift)}"
        )
    return DRIFTS[drift]
