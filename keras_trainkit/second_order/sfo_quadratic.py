"""The quadratic that SFO keeps of one batch's loss."""

from collections import deque

import numpy as np

PAIRS = 20  # steps and changes of the gradient that are remembered: one a pass
DEVIATION = 1e8  # of the largest eigenvalue to the smallest


class Quadratic:
    """One batch's loss as its last value and gradient, and a Hessian from its past.

    The Hessian is `low @ diag(signs) @ low.T + level * I`: BFGS over the remembered
    pairs inside of their span, one number outside of it.

    Args:
        size: Coordinates of the space.
    """

    def __init__(self, size: int) -> None:
        self.position = np.zeros(size)
        self.gradient = np.zeros(size)
        self.value = np.nan
        self.seen = 0
        self.low = np.zeros((size, 0))
        self.signs = np.zeros(0)
        self.level = 0.0
        self._pairs: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=PAIRS)

    @property
    def curved(self) -> bool:
        """Whether a pair is known."""
        return bool(self._pairs)

    def observe(self, position: np.ndarray, value: float, gradient: np.ndarray) -> None:
        """Takes a value and gradient up; the pair with the last ones is remembered."""
        if self.seen:
            step, change = position - self.position, gradient - self.gradient
            sizes = float(np.linalg.norm(step)), float(np.linalg.norm(change))
            # Curvature may be negative; only noise and nothing are left out.
            if min(sizes) > 1e-12 and abs(step @ change) > 1e-12 * sizes[0] * sizes[1]:
                self._pairs.append((step, change))
        self.position, self.value, self.gradient = position, value, gradient
        self.seen += 1

    def foretold(self, position: np.ndarray) -> float:
        """Returns the quadratic's value at a position."""
        step = position - self.position
        return self.value + float(step @ (self.gradient + self.times(step) / 2))

    def times(self, direction: np.ndarray) -> np.ndarray:
        """Returns the Hessian times a direction."""
        along = self.signs * (self.low.T @ direction)
        return self.low @ along + self.level * direction

    def slope(self, position: np.ndarray) -> np.ndarray:
        """Returns the quadratic's gradient at a position."""
        return self.gradient + self.times(position - self.position)

    def turn(self, matrix: np.ndarray) -> None:
        """Goes over to new coordinates."""
        self.position = matrix @ self.position
        self.gradient = matrix @ self.gradient
        self.low = matrix @ self.low
        turned = [(matrix @ step, matrix @ change) for step, change in self._pairs]
        self._pairs = deque(turned, maxlen=PAIRS)

    def rebuild(self) -> None:
        """Makes the Hessian anew from the pairs, positive definite."""
        steps, changes = (np.array(one).T for one in zip(*self._pairs, strict=True))
        basis, heights, _ = np.linalg.svd(
            np.hstack([_units(steps), _units(changes)]), full_matrices=False
        )
        basis = basis[:, heights > 1e-10 * heights[0]]
        steps, changes = basis.T @ steps, basis.T @ changes
        seen = np.linalg.svd(changes @ np.linalg.pinv(steps), compute_uv=False)
        curvatures = seen[: min(len(self._pairs), len(seen))]
        level = max(float(curvatures.min()), float(seen[0]) / DEVIATION)
        matrix = level * np.eye(basis.shape[1])
        for step, change in zip(steps.T, changes.T, strict=True):
            image = matrix @ step
            curved, expected = change @ step, step @ image
            if abs(curved) < 1e-300 or abs(expected) < 1e-300:
                continue
            matrix = matrix + np.outer(change, change) / curved
            matrix = matrix - np.outer(image, image) / expected
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        largest = float(np.abs(values).max())
        positive = values > largest / DEVIATION
        usual = float(np.median(values[positive])) if positive.any() else largest
        values = np.where(positive, values, usual)
        apart = values - level
        self.low = basis @ (vectors * np.sqrt(np.abs(apart)))
        self.signs, self.level = np.sign(apart), level


def _units(columns: np.ndarray) -> np.ndarray:
    return columns / np.maximum(np.linalg.norm(columns, axis=0), 1e-300)
