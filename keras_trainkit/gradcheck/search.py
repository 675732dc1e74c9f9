"""Looks closer at the tensors that failed, and names the likely mistakes."""

from typing import Any

import numpy as np

from keras_trainkit.gradcheck.cause import few_entries, likely_cause
from keras_trainkit.gradcheck.difference import Measured
from keras_trainkit.gradcheck.entries import make_entries
from keras_trainkit.gradcheck.evaluator import Jobs
from keras_trainkit.gradcheck.locate import Comparison, locate
from keras_trainkit.gradcheck.result import Entry


def search(
    comparison: Comparison,
    jobs: Jobs,
    measured: Measured,
    entries: list[Entry],
    rows: int,
    seed: int,
) -> dict[str, str]:
    """Looks closer at what failed; adds entries and returns the likely causes."""
    evaluator = comparison.evaluator
    causes: dict[str, str] = {}
    compared = set(jobs.start[jobs.single].tolist())
    owners: Any = np.searchsorted(evaluator.offsets, jobs.start, side="right") - 1
    terms = len(evaluator.problem.term_names)
    for tensor, term in _failing_tensors(comparison, jobs, measured):
        name = evaluator.problem.names[tensor]
        known = jobs.start[
            jobs.single & (owners == tensor) & (measured.verdict[:, term] == "FAIL")
        ]
        found = locate(comparison, tensor, term, known.tolist(), seed)
        extra = make_entries(evaluator, found.jobs, found.measured)
        for row, place in enumerate(found.jobs.start.tolist()):
            if place not in compared:
                entries += extra[row * terms : (row + 1) * terms]
        wrong = found.jobs.start[found.measured.verdict[:, term] == "FAIL"]
        size = evaluator.sizes[tensor]
        few = found.sample is None or (
            8 < size == len(found.jobs) and len(wrong) <= max(1, size // 20)
        )
        if few and len(wrong):
            places = wrong - evaluator.offsets[tensor]
            words = few_entries(places, evaluator.shapes[tensor])
        elif found.sample is not None and len(wrong):
            words = likely_cause(found.sample, rows)
        else:
            words = "a random direction disagrees, no single entry stands out"
        label = evaluator.problem.term_names[term]
        causes[name] = words if label == "loss" else f"{words} (in the {label} loss)"
    return causes


def _failing_tensors(
    comparison: Comparison, jobs: Jobs, measured: Measured
) -> list[tuple[int, int]]:
    """Returns each failing tensor with the first term that shows it."""
    evaluator = comparison.evaluator
    failing: dict[int, int] = {}
    whole = (jobs.end - jobs.start == evaluator.total) & (len(evaluator.sizes) > 1)
    wrong = measured.verdict == "FAIL"
    for row in np.flatnonzero(wrong.any(axis=1) & ~whole):
        tensor = evaluator.packing.tensor_of(jobs.start[row])
        term = int(np.flatnonzero(wrong[row])[0])
        failing[tensor] = min(failing.get(tensor, term), term)
    if wrong[whole].any() and not failing:
        for tensor in range(len(evaluator.sizes)):
            start, end = (int(p) for p in evaluator.offsets[tensor : tensor + 2])
            if start == end:
                continue
            words = comparison.measure(evaluator.direction(start, end, 1)).verdict[0]
            if "FAIL" in words:
                failing[tensor] = int(np.flatnonzero(words == "FAIL")[0])
    return list(failing.items())
