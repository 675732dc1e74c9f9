"""What is known of a function at the point itself: value, branches, noise."""

import dataclasses
from typing import Any

import numpy as np

from keras_trainkit.gradcheck.evaluator import Evaluator, Jobs
from keras_trainkit.gradcheck.noise import POINTS, SPACINGS, noise_level

CHANGED = 1e-4  # a changed decision moves a mark by 0.25, rounding by 1e-9


@dataclasses.dataclass
class Point:
    """What is known of the function at the point itself.

    Args:
        terms: Values of the terms.
        marks: Branch marks.
        noise: Noise of each term, absolute.
        rounding: Relative rounding of the perturbed values themselves.
    """

    terms: np.ndarray
    marks: np.ndarray
    noise: np.ndarray
    rounding: float

    @property
    def relative_noise(self) -> float:
        """The largest noise of a term, relative to the term."""
        return float(np.max(self.noise / np.maximum(np.abs(self.terms), 1e-300)))


def look_at_point(evaluator: Evaluator) -> Point:
    """Evaluates the function where it is, and the noise around it.

    Raises:
        ValueError: If a value is not finite or changes from call to call.
    """
    terms, marks = evaluator.value()
    if not np.all(np.isfinite(terms)):
        raise ValueError(
            "the loss must be finite at the point where the gradient is checked. "
            f"Received: loss={terms.tolist()}"
        )
    again, _ = evaluator.value()
    if not np.array_equal(terms, again):
        raise ValueError(
            "the function must return the same value at the same point; draw "
            "random numbers with keras.random and a SeedGenerator, or with "
            f"tf.random.stateless_*. Received: loss={[terms[0], again[0]]}"
        )
    probe = evaluator.direction(0, evaluator.total, 1)
    multiples: Any = np.arange(POINTS) - POINTS // 2
    steps = np.array([multiples * spacing * probe.size[0] for spacing in SPACINGS])
    values, seen = evaluator.losses(Jobs.join([probe] * len(SPACINGS)), steps)
    epsilon = np.finfo(np.float64 if evaluator.double else np.float32).eps
    noise = epsilon * np.maximum(np.abs(terms), np.finfo(np.float64).tiny)
    for row in range(len(SPACINGS)):
        if np.any(np.abs(seen[row] - marks) > CHANGED):
            continue
        for term in range(len(terms)):
            level = noise_level(values[row, :, term])
            if level is not None:
                noise[term] = max(noise[term], level)
    return Point(terms, marks, noise, float(epsilon))
