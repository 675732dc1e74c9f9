"""What an instrument counts on the device, from step to step."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class Counter:
    """Numbers that steps add to and the end of an epoch reads.

    Args:
        states: One variable for each replica.
        since: The first step that is counted.
    """

    def __init__(self, states: Sequence[Any], since: int) -> None:
        self._states = states
        self.since = since

    def total(self) -> np.ndarray:
        """The sum over the replicas, float64."""
        counts = [state.numpy().astype(np.float64) for state in self._states]
        return np.sum(counts, axis=0)

    def mean(self) -> np.ndarray:
        """The mean over the replicas, float64."""
        mean: np.ndarray = self.total() / len(self._states)
        return mean

    def clear(self, since: int) -> None:
        """Starts anew.

        Args:
            since: The first step that will be counted.
        """
        self.since = since
        for state in self._states:
            state.assign(np.zeros(state.shape))
