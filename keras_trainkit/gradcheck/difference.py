"""Numeric derivatives whose step and error are chosen for each direction apart."""

import dataclasses
from typing import Any

import numpy as np

from keras_trainkit.gradcheck.evaluator import Evaluator, Jobs
from keras_trainkit.gradcheck.linear_cut import first_losses
from keras_trainkit.gradcheck.point import CHANGED, Point

FIRST_STEP = 2.0**-14
LADDER = tuple(2.0**-power for power in (10, 7, 13, 17, 20, 23))
SAFETY = 5.0  # a difference counts beyond this many estimated errors


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
    if not len(jobs):
        return _Ladder(evaluator, jobs, gradient, point, tolerance, 0.0).result
    ladder = _Ladder(evaluator, jobs, gradient, point, tolerance, gradient_noise)
    ladder.settle()
    for rung in LADDER:
        chosen = np.flatnonzero(ladder.unsettled)
        if not len(chosen):
            break
        ladder.descend(rung, chosen)
    ladder.judge()
    return ladder.result


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


class _Ladder:
    """The state of one measurement: what is settled, and the best of each job."""

    def __init__(
        self,
        evaluator: Evaluator,
        jobs: Jobs,
        gradient: np.ndarray,
        point: Point,
        tolerance: float,
        gradient_noise: float,
    ) -> None:
        self.evaluator, self.jobs, self.point = evaluator, jobs, point
        self.tolerance = tolerance
        # What rounding the claim itself may carry: relative to the largest entry.
        self.doubt = gradient_noise * _largest(gradient, jobs)
        shape = (len(jobs), len(point.terms))
        self.settled: Any = np.zeros(shape, bool)
        self.unsettled: Any = np.ones(len(jobs), bool)
        self.kinked: Any = np.full(shape, np.nan)
        self.bend: Any = np.zeros(shape)
        self.result = Measured(
            analytic=evaluator.along(gradient, jobs),
            numeric=np.full(shape, np.nan),
            error=np.full(shape, np.inf),
            step=np.full(shape, np.nan),
            crossed=np.full(shape, -1),
            verdict=np.full(shape, "kink", dtype=object),
        )

    def settle(self) -> None:
        """Settles what agrees with one centred difference of a middling step."""
        steps = FIRST_STEP * self.jobs.size
        moves = np.stack([steps, -steps], axis=1)
        values = first_losses(self.evaluator, self.jobs, moves)
        simple = (values[:, 0] - values[:, 1]) / (2 * steps[:, None])
        result = self.result
        self.settled = _agree(result.analytic, simple, self.tolerance, self.doubt)
        result.numeric[self.settled] = simple[self.settled]
        result.error[self.settled] = np.nan
        result.step[self.settled] = FIRST_STEP
        self.unsettled = ~self.settled.all(axis=1)

    def descend(self, rung: float, chosen: np.ndarray) -> None:
        """Measures some jobs at one rung, and keeps it where it is the best."""
        point, result, size = self.point, self.result, self.jobs.size[chosen, None]
        h = rung * size
        values, marks = self.evaluator.losses(
            self.jobs[chosen], np.hstack([h, -h, h / 2, -h / 2])
        )
        wide = (values[:, 0] - values[:, 1]) / (2 * h)
        narrow = (values[:, 2] - values[:, 3]) / h
        numeric = (4 * narrow - wide) / 3
        error = (
            np.abs(numeric - narrow)
            + 4 * point.noise / h
            + point.rounding * size / h * np.abs(numeric)
        )
        crossing = _crossing(marks, point)[:, None]
        settled, kept = self.settled[chosen], result.error[chosen]
        better = (error < kept) & (crossing < 0) & np.isfinite(numeric) & ~settled
        never = ~np.isfinite(np.where(better, error, kept)) & ~settled
        for name, value, where in (
            ("numeric", numeric, better),
            ("error", error, better),
            ("step", rung, better | never),
            ("crossed", np.where(never, crossing, -1), better | never),
        ):
            column = getattr(result, name)
            column[chosen] = np.where(where, value, column[chosen])
        missing = np.isnan(self.kinked[chosen])
        self.kinked[chosen] = np.where(missing, narrow, self.kinked[chosen])
        second = np.abs(values[:, 2] + values[:, 3] - 2 * point.terms) / (h / 2)
        first = np.abs(values[:, 0] + values[:, 1] - 2 * point.terms) / h
        self.bend[chosen] = np.where(second > 0.75 * first, second, 0.0)
        self._close(chosen)

    def _close(self, chosen: np.ndarray) -> None:
        """Ends the search for jobs that agree, or that plainly do not."""
        analytic = self.result.analytic[chosen]
        numeric = self.result.numeric[chosen]
        agreed = _agree(analytic, numeric, self.tolerance, self.doubt[chosen])
        largest = np.maximum(np.abs(analytic), np.abs(numeric))
        gap = np.maximum(self.tolerance * largest, np.abs(analytic - numeric))
        plain = self.result.error[chosen] * 100 * SAFETY < gap
        if self.evaluator.hidden_branches:
            plain = np.zeros_like(plain)
        done = self.settled[chosen] | agreed | plain
        self.unsettled[chosen] = ~done.all(axis=1)

    def judge(self) -> None:
        """Gives every job its verdict."""
        result, doubt = self.result, self.doubt
        smooth = np.isfinite(result.error) | self.settled
        result.numeric = np.where(smooth, result.numeric, self.kinked)
        gap = np.abs(result.analytic - result.numeric)
        largest = np.maximum(np.abs(result.analytic), np.abs(result.numeric))
        error = np.where(self.settled, 0.0, result.error) + doubt
        agreed = gap <= self.tolerance * largest + doubt
        within = gap <= SAFETY * error
        verdict = np.full(gap.shape, "FAIL", dtype=object)
        verdict[within] = "noisy"
        verdict[within & (largest <= 2 * SAFETY * error)] = "zero"
        verdict[agreed] = "ok"
        verdict[largest == 0] = "zero"
        verdict[~smooth & ~agreed] = "kink"
        if self.evaluator.hidden_branches:
            # A loop's branches leave no mark; a kink at the point itself shows as
            # a second difference that does not shrink with the step.
            bent = (verdict == "FAIL") & (gap <= 0.75 * self.bend)
            verdict[bent] = "kink"
        result.verdict = verdict


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
