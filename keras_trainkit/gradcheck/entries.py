"""Turns comparisons into the entries of a report."""

from typing import Any

import numpy as np

from keras_trainkit.gradcheck.difference import Measured, relative_error
from keras_trainkit.gradcheck.evaluator import Evaluator, Jobs
from keras_trainkit.gradcheck.result import Entry

RANK = {"FAIL": 0, "ok": 1, "noisy": 2, "kink": 3, "zero": 4}


def make_entries(evaluator: Evaluator, jobs: Jobs, found: Measured) -> list[Entry]:
    """Returns one entry a job and term."""
    terms = evaluator.problem.term_names
    places = [place for place in _places(evaluator, jobs) for _ in terms]
    columns = (
        found.analytic,
        found.numeric,
        relative_error(found.analytic, found.numeric),
        found.error,
        found.step,
        found.crossed,
        found.verdict,
    )
    branches = [*evaluator.branches, ""]  # -1, for none, is the last one
    return [
        Entry._make((*place, term, *numbers, branches[crossed], verdict))
        for place, term, *numbers, crossed, verdict in zip(
            places,
            terms * len(jobs),
            *(column.ravel().tolist() for column in columns),
            strict=True,
        )
    ]


def worst_first(entries: list[Entry]) -> list[Entry]:
    """Returns the entries by verdict, and by relative error within a verdict."""
    ranks = [RANK[entry.verdict] for entry in entries]
    errors = [-entry.relative_error for entry in entries]
    return [entries[place] for place in np.lexsort((errors, ranks)).tolist()]


def sweep(evaluator: Evaluator, entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    """Measures the relative error of one entry over steps from 0.25 to 1e-13."""
    if entry.parameter == "all":
        start, end = 0, evaluator.total
    else:
        tensor = evaluator.problem.names.index(entry.parameter)
        start, end = (int(p) for p in evaluator.offsets[tensor : tensor + 2])
    if isinstance(entry.index, tuple):
        shape = evaluator.shapes[tensor]
        flat = int(np.ravel_multi_index(entry.index, shape)) if shape else 0
        job = evaluator.coordinates([start + flat])
    else:
        job = evaluator.direction(start, end, int(entry.index.split()[-1]))
    term = evaluator.problem.term_names.index(entry.term)
    steps = 2.0 ** -np.arange(2.0, 44.0)
    moves = steps * job.size[0]
    values, _ = evaluator.losses(job, np.concatenate([moves, -moves])[None])
    up, down = values[0, : len(steps), term], values[0, len(steps) :, term]
    numeric = (up - down) / (2 * moves)
    claimed = np.full_like(numeric, entry.analytic)
    return steps, np.maximum(relative_error(claimed, numeric), 1e-16)


def _places(evaluator: Evaluator, jobs: Jobs) -> list[tuple[str, Any]]:
    """Returns the parameter's name and the index of each job."""
    owners: Any = np.searchsorted(evaluator.offsets, jobs.start, side="right") - 1
    places: list[tuple[str, Any]] = [("", None)] * len(jobs)
    for tensor in sorted(set(owners.tolist())):
        rows = np.flatnonzero((owners == tensor) & (jobs.row == 0))
        flat = jobs.start[rows] - evaluator.offsets[tensor]
        indices = np.stack(np.unravel_index(flat, evaluator.shapes[tensor] or (1,)), 1)
        name = evaluator.problem.names[tensor]
        for row, index in zip(rows.tolist(), indices.tolist(), strict=True):
            places[row] = (name, tuple(index) if evaluator.shapes[tensor] else ())
    for row in np.flatnonzero(jobs.row > 0).tolist():
        whole = jobs.end[row] - jobs.start[row] == evaluator.total
        joint = whole and len(evaluator.sizes) > 1
        name = "all" if joint else evaluator.problem.names[owners[row]]
        places[row] = (name, f"direction {jobs.row[row]}")
    return places
