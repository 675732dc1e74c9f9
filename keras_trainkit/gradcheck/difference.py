"""Numeric derivatives whose step and error are chosen for each direction apart."""

import dataclasses
from typing import Any

import numpy as np

from keras_trainkit.gradcheck.evaluator import Evaluator, Jobs
from keras_trainkit.gradcheck.linear_cut import first_losses
from keras_trainkit.gradcheck.noise import POINTS, SPACINGS, noise_level

FIRST_STEP = 2.0**-14
LADDER = tuple(2.0**-power for power in (10, 7, 13, 17, 20, 23))
SAFETY = 5.0  # a difference counts beyond this many estimated errors
CHANGED = 1e-4  # a changed decision moves a mark by 0.25, rounding by 1e-9


@dataclasses.dataclass
class Measured:
    """Numeric derivatives along jobs, each array of shape `(jobs, terms)`.

    Args:
        analytic: What the gradient under test claims.
        numeric: The finite difference.
        error: Its estimated error; NaN where agreement needed no estimate.
        step: The step it was taken with, relative to the size of the values.
        crossed: Position of the branch crossed at that step, -1 for none.
        verdict: "ok", "zero", "noisy", "kink" or "FAIL".
    """

    analytic: np.ndarray
    numeric: np.ndarray
    error: np.ndarray
    step: np.ndarray
    crossed: np.ndarray
    verdict: np.ndarray


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


def measure(
    evaluator: Evaluator,
    jobs: Jobs,
    gradient: np.ndarray,
    point: Point,
    *,
    tolerance: float,
    gradient_noise: float,
) -> Measured:
    """Compares a claimed gradient with differences along each job.

    A first centred difference with a middling step settles what agrees. The rest
    is measured at two steps a rung, `h` and `h/2`, down a ladder of steps; the
    rung kept is the one with the least estimated error among those on which no
    branch changed sides.

    Args:
        evaluator: Evaluates the terms.
        jobs: The directions, `n` of them.
        gradient: The claimed gradient of each term, shape `(terms, places)`.
        point: The unperturbed function.
        tolerance: Largest relative error that still agrees, > 0.
        gradient_noise: Relative rounding of the claimed gradient, >= 0.
    """
    count, terms = len(jobs), len(point.terms)
    analytic = evaluator.along(gradient, jobs)
    sizes = jobs.size
    # What rounding the claim itself may carry: relative to the largest entry.
    doubt = gradient_noise * _largest(gradient, jobs)
    result = Measured(
        analytic=analytic,
        numeric=np.full((count, terms), np.nan),
        error=np.full((count, terms), np.inf),
        step=np.full((count, terms), np.nan),
        crossed=np.full((count, terms), -1),
        verdict=np.full((count, terms), "kink", dtype=object),
    )
    if not count:
        return result
    kinked = np.full((count, terms), np.nan)
    bend = np.zeros((count, terms))
    steps = FIRST_STEP * sizes
    values = first_losses(evaluator, jobs, np.stack([steps, -steps], axis=1))
    simple = (values[:, 0] - values[:, 1]) / (2 * steps[:, None])
    settled = _agree(analytic, simple, tolerance, doubt)
    result.numeric[settled] = simple[settled]
    result.error[settled] = np.nan
    result.step[settled] = FIRST_STEP
    open_jobs: Any = ~settled.all(axis=1)
    for rung in LADDER:
        chosen = np.flatnonzero(open_jobs)
        if not len(chosen):
            break
        steps = rung * sizes[chosen]
        values, marks = evaluator.losses(
            jobs[chosen], np.stack([steps, -steps, steps / 2, -steps / 2], axis=1)
        )
        h = steps[:, None]
        wide = (values[:, 0] - values[:, 1]) / (2 * h)
        narrow = (values[:, 2] - values[:, 3]) / h
        numeric = (4 * narrow - wide) / 3
        error = (
            np.abs(numeric - narrow)
            + 4 * point.noise / h
            + point.rounding * sizes[chosen, None] / h * np.abs(numeric)
        )
        crossing = _crossing(marks, point)
        smooth = crossing < 0
        better = (
            (error < result.error[chosen])
            & smooth[:, None]
            & np.isfinite(numeric)
            & ~settled[chosen]
        )
        for name, value in (("numeric", numeric), ("error", error)):
            getattr(result, name)[chosen] = np.where(
                better, value, getattr(result, name)[chosen]
            )
        result.step[chosen] = np.where(better, rung, result.step[chosen])
        kinked[chosen] = np.where(np.isnan(kinked[chosen]), narrow, kinked[chosen])
        never = ~np.isfinite(result.error[chosen]) & ~settled[chosen]
        result.crossed[chosen] = np.where(
            never, crossing[:, None], np.where(better, -1, result.crossed[chosen])
        )
        result.step[chosen] = np.where(never, rung, result.step[chosen])
        second = np.abs(values[:, 2] + values[:, 3] - 2 * point.terms) / (h / 2)
        first = np.abs(values[:, 0] + values[:, 1] - 2 * point.terms) / h
        bend[chosen] = np.where(second > 0.75 * first, second, 0.0)
        agreed = _agree(
            analytic[chosen], result.numeric[chosen], tolerance, doubt[chosen]
        )
        # No rung is finer than the tolerance needs: a plain disagreement is one.
        largest = np.maximum(np.abs(analytic), np.abs(result.numeric))[chosen]
        plain = result.error[chosen] * 100 * SAFETY < np.maximum(
            tolerance * largest, np.abs(analytic - result.numeric)[chosen]
        )
        if evaluator.hidden_branches:
            plain &= False
        open_jobs[chosen] = ~(settled[chosen] | agreed | plain).all(axis=1)
    _judge(result, settled, kinked, bend, tolerance, doubt, evaluator.hidden_branches)
    return result


def relative_error(analytic: np.ndarray, numeric: np.ndarray) -> np.ndarray:
    """Returns `|a - n| / max(|a|, |n|)`, and 0 where both are exactly zero.

    Example:
        ```python
        relative_error(np.array([0.0, 1.0]), np.array([0.0, 2.0]))  # [0.0, 0.5]
        ```
    """
    largest = np.maximum(np.abs(analytic), np.abs(numeric))
    gap = np.abs(np.asarray(analytic) - numeric)
    return np.divide(gap, largest, out=np.zeros_like(largest), where=largest > 0)


def _largest(gradient: np.ndarray, jobs: Jobs) -> np.ndarray:
    largest = np.abs(gradient[:, jobs.start]).T.copy()
    for one in np.flatnonzero(~jobs.single):
        places = slice(jobs.start[one], jobs.end[one])
        largest[one] = np.abs(gradient[:, places]).max(axis=1)
    return largest


def _agree(
    analytic: np.ndarray, numeric: np.ndarray, tolerance: float, doubt: np.ndarray
) -> np.ndarray:
    largest = np.maximum(np.abs(analytic), np.abs(numeric))
    return np.abs(analytic - numeric) <= tolerance * largest + np.where(
        largest > 0, doubt, 0.0
    )


def _crossing(marks: np.ndarray, point: Point) -> np.ndarray:
    """Returns the first branch that changed over a job's points, -1 for none."""
    if not marks.shape[-1]:
        return np.full(len(marks), -1)
    changed = (np.abs(marks - point.marks) > CHANGED).any(axis=1)
    return np.where(changed.any(axis=1), changed.argmax(axis=1), -1)


def _judge(
    result: Measured,
    settled: np.ndarray,
    kinked: np.ndarray,
    bend: np.ndarray,
    tolerance: float,
    doubt: np.ndarray,
    hidden: bool,
) -> None:
    smooth = np.isfinite(result.error) | settled
    result.numeric = np.where(smooth, result.numeric, kinked)
    gap = np.abs(result.analytic - result.numeric)
    largest = np.maximum(np.abs(result.analytic), np.abs(result.numeric))
    error = np.where(settled, 0.0, result.error) + doubt
    agreed = gap <= tolerance * largest + doubt
    within = gap <= SAFETY * error
    verdict = np.full(gap.shape, "FAIL", dtype=object)
    verdict[within] = "noisy"
    verdict[within & (largest <= 2 * SAFETY * error)] = "zero"
    verdict[agreed] = "ok"
    verdict[largest == 0] = "zero"
    verdict[~smooth & ~agreed] = "kink"
    if hidden:
        # A loop's branches leave no mark; a kink at the point itself shows as a
        # second difference that does not shrink with the step.
        bent = (verdict == "FAIL") & (gap <= 0.75 * bend)
        verdict[bent] = "kink"
    result.verdict = verdict
