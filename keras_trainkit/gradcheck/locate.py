"""Finds which entries of a failing tensor are wrong, by bisection or by sampling."""

import dataclasses

import numpy as np

from keras_trainkit.gradcheck.cause import Sample, transposed_places
from keras_trainkit.gradcheck.difference import Measured, measure
from keras_trainkit.gradcheck.evaluator import Evaluator, Jobs
from keras_trainkit.gradcheck.point import Point

SAMPLED = 128  # coordinates that tell a dense fault from a rare one
SMALL = 256  # tensors up to this size are compared entry by entry
DENSE = 0.15  # share of wrong entries from which a fault is called dense
INTERVALS = 32  # bisection follows at most so many intervals at once


@dataclasses.dataclass
class Located:
    """What a closer look at one failing tensor gave.

    Args:
        jobs: The coordinates compared.
        measured: Their comparisons.
        sample: What the cause can be told from; `None` for a rare fault.
    """

    jobs: Jobs
    measured: Measured
    sample: Sample | None


@dataclasses.dataclass
class Comparison:
    """The settings shared by every comparison of one check."""

    evaluator: Evaluator
    gradient: np.ndarray
    point: Point
    tolerance: float
    gradient_noise: float

    def measure(self, jobs: Jobs) -> Measured:
        """Compares along jobs; directions are held to a finer tolerance.

        One wrong entry is diluted among all the entries of a direction.
        """
        wide, double = ~jobs.single, self.evaluator.double
        parts = [
            measure(
                self.evaluator,
                jobs[wide == finer],
                self.gradient,
                self.point,
                tolerance=self.tolerance / (100 if finer and double else 1),
                gradient_noise=self.gradient_noise,
            )
            for finer in (True, False)
        ]
        order = np.argsort(np.argsort(~wide, kind="stable"))
        return Measured(
            **{
                field.name: np.concatenate(
                    [getattr(part, field.name) for part in parts]
                )[order]
                for field in dataclasses.fields(Measured)
            }
        )


def locate(
    comparison: Comparison, tensor: int, term: int, known: list[int], seed: int
) -> Located:
    """Looks closer at one tensor that failed.

    Args:
        comparison: How to compare.
        tensor: Position of the tensor.
        term: Position of the term that failed.
        known: Places already found wrong.
        seed: Seed of the sample.
    """
    evaluator = comparison.evaluator
    start, end = (int(place) for place in evaluator.offsets[tensor : tensor + 2])
    size = end - start
    random = np.random.default_rng(seed)
    if size <= SMALL:
        places = np.arange(start, end)
    else:
        places = start + random.choice(size, SAMPLED, replace=False)
    jobs = evaluator.coordinates(places)
    measured = comparison.measure(jobs)
    wrong = measured.verdict[:, term] == "FAIL"
    alive = np.maximum(
        np.abs(measured.analytic[:, term]), np.abs(measured.numeric[:, term])
    )
    share = wrong.sum() / max(1, (alive > 0).sum())
    if size > SMALL and share < DENSE:
        found = _bisect(comparison, start, end, term)
        places = np.array(sorted({*found, *known, *places[wrong].tolist()}), int)
        jobs = evaluator.coordinates(places)
        return Located(jobs, comparison.measure(jobs), None)
    partners = transposed_places(places - start, evaluator.shapes[tensor])
    turned = None
    if partners is not None:
        moved = evaluator.coordinates(start + partners)
        turned = comparison.measure(moved).numeric[:, term]
    judged = measured.verdict[:, term] != "kink"
    sample = Sample(
        places=(places - start)[judged],
        shape=evaluator.shapes[tensor],
        analytic=measured.analytic[judged, term],
        numeric=measured.numeric[judged, term],
        wrong=wrong[judged],
        values=evaluator.flat[places][judged],
        transposed=None if turned is None else turned[judged],
    )
    return Located(jobs, measured, sample)


def _bisect(comparison: Comparison, start: int, end: int, term: int) -> list[int]:
    """Halves the failing intervals until single entries are left."""
    evaluator = comparison.evaluator
    active, found = [(start, end)], []
    while active:
        halves = []
        for low, high in active:
            middle = (low + high) // 2
            halves += [(low, middle), (middle, high)]
        rows = (1, min(2, len(evaluator.bank) - 1))
        jobs = Jobs.join(
            [evaluator.direction(*half, row) for half in halves for row in rows]
        )
        verdict = comparison.measure(jobs).verdict[:, term].reshape(-1, len(rows))
        failing = [
            half for half, words in zip(halves, verdict, strict=True) if "FAIL" in words
        ]
        found += [low for low, high in failing if high - low == 1]
        active = [half for half in failing if half[1] - half[0] > 1][:INTERVALS]
    return found
