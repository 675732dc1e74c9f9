"""The small space in which SFO keeps all that it remembers."""

from typing import Any

import numpy as np


class Subspace:
    """An orthonormal basis that grows by the directions seen, up to a largest size.

    A position is its offset from the origin, in coordinates of the basis; directions
    likewise.

    Args:
        origin: The first position, shape `(n,)`.
        largest: Most basis vectors, int >= 1.
    """

    def __init__(self, origin: np.ndarray, largest: int) -> None:
        self.origin = origin
        self.size = 0
        self._rows = np.zeros((min(largest, len(origin)), len(origin)))

    @property
    def full(self) -> bool:
        """Whether no basis vector can be added."""
        return self.size == len(self._rows)

    def vector(self, coordinates: np.ndarray) -> np.ndarray:
        """Returns the position that coordinates stand for, shape `(n,)`."""
        return self.origin + coordinates[: self.size] @ self._rows[: self.size]

    def coordinates(self, direction: np.ndarray) -> np.ndarray:
        """Returns the coordinates of a direction's part in the space."""
        found = np.zeros(len(self._rows))
        found[: self.size] = self._rows[: self.size] @ direction
        return found

    def outside(self, direction: np.ndarray) -> np.ndarray | None:
        """Returns the unit vector of a direction's part outside, if there is one."""
        length = float(np.linalg.norm(direction))
        if not length > 0 or self.size == len(direction):
            return None
        rest, known = direction / length, self._rows[: self.size]
        for _ in range(3):
            rest = rest - (known @ rest) @ known
            left = float(np.linalg.norm(rest))
            if left < 1e-12:
                return None
            rest = rest / left
            if left > 0.1:
                return rest
        return rest

    def add(self, unit: np.ndarray) -> None:
        """Takes a unit vector outside of the space into its basis."""
        self._rows[self.size] = unit
        self.size += 1

    def collapse(self, spanning: np.ndarray, unit: np.ndarray) -> np.ndarray:
        """Keeps only the space of some directions, and a new one.

        Args:
            spanning: Coordinates that are to be kept, shape `(k, largest)`.
            unit: A unit vector outside of the space, shape `(n,)`.

        Returns:
            The matrix that turns old coordinates into new ones, shape
            `(largest, largest)`.
        """
        lengths = np.linalg.norm(spanning, axis=1)
        kept = spanning[lengths > 0] / lengths[lengths > 0][:, None]
        q, r = np.linalg.qr(kept.T)
        # Directions that repeat others leave nothing behind.
        q = q[:, np.abs(np.diag(r)) > 1e-12][:, : len(self._rows) - 1]
        turn = np.zeros((len(self._rows), len(self._rows)))
        turn[: q.shape[1]] = q.T
        self._rows[: q.shape[1]] = q.T @ self._rows
        self._rows[q.shape[1] :] = 0
        self.size = q.shape[1]
        # Rounding of the old basis, before the new vector leans on it.
        rest: Any = self.outside(unit)
        if rest is not None:
            self.add(rest)
        return turn
