"""Runs optimizers over the problems of the test bed."""

import collections
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from keras_trainkit.arguments import check_flag, check_integer, received
from keras_trainkit.testbed.batch import Batch
from keras_trainkit.testbed.candidates import (
    Candidate,
    candidates,
    candidates_at,
    check_rates,
)
from keras_trainkit.testbed.catalogue import problems as catalogue_problems
from keras_trainkit.testbed.descent import one_by_one, said, together
from keras_trainkit.testbed.elementwise import is_elementwise
from keras_trainkit.testbed.grading import GRADES, PASSING, grades, progress, scores
from keras_trainkit.testbed.problem import FunctionProblem, Problem
from keras_trainkit.testbed.reference import best_descent
from keras_trainkit.testbed.result import Result

AnyProblem = Problem | FunctionProblem


def run(
    optimizers: Any,
    problems: Sequence[AnyProblem] | None = None,
    *,
    seeds: int = 10,
    steps: int = 100,
    verbose: bool = True,
) -> Result:
    """Tests optimizers on many small problems with one difficulty each.

    Each problem is run with several seeds of its noise; what counts is the median of
    the expected values at the last points. It passes if it comes at least a tenth as
    far as the best of 34 constant rates of plain gradient descent, `1e-10` to `1`,
    on the same noise, in nearly all runs and without diverging. About 0.4 s for an
    optimizer on the 912 problems of one variable, and 5 s once for the gradient
    descent they are measured against.

    Element-wise rules, which a short trial finds out, step all runs at once. Others,
    such as those that clip by a norm, take one run after the other and about 0.1 s
    for each problem.

    Args:
        optimizers: A Keras optimizer, its class or name, or a callable that makes
            it; or a list of these, or a dictionary by label. An optimizer that is
            passed stays as it is.
        problems: From `tk.testbed.problems`, or `Problem` and `FunctionProblem` of
            your own. All 912 of one variable that do not change if `None`.
        seeds: Runs of each problem, int >= 1.
        steps: Steps of each run, int >= 1.
        verbose: Whether to show a progress bar.

    Returns:
        The scores. An optimizer that raises fails, with its reason; the others go on.

    Raises:
        ValueError: If an argument is not of its kind, two problems have one name, or
            gradient descent gets nowhere on any problem.

    Example:
        ```python
        result = tk.testbed.run([tk.optimizers.Adam(0.1), "sgd"])
        result.pass_rates("family")
        result.write("which_rule.html")
        ```

    Reference:
        [Schaul, Antonoglou and Silver, 2014](https://arxiv.org/abs/1312.6055)
    """
    return _judged(candidates(optimizers), problems, seeds, steps, verbose)


def compare(
    rules: Any,
    rates: Iterable[float] | None = None,
    problems: Sequence[AnyProblem] | None = None,
    *,
    seeds: int = 10,
    steps: int = 100,
    verbose: bool = True,
) -> Result:
    """Tests rules at many rates: which is good, and how sensitive to its rate.

    A rule that passes at one rate only is of little use where the right rate is not
    known. `result.sensitivity()` says over how many decades each stays near its best.

    Args:
        rules: Keras optimizers, whose rate is replaced, classes, names, or callables
            of a rate; one, a list, or a dictionary by label.
        rates: Rates > 0; eleven from `1e-5` to `1` if `None`.
        problems: As for `run`.
        seeds: As for `run`.
        steps: As for `run`.
        verbose: As for `run`.

    Returns:
        The scores of each rule at each rate.

    Raises:
        ValueError: If an argument is not of its kind.

    Example:
        ```python
        rules = [tk.optimizers.SGD, tk.optimizers.Adam, "rmsprop"]
        result = tk.testbed.compare(rules, rates=[1e-3, 1e-2, 1e-1, 1])
        print(result.sensitivity())
        ```
    """
    chosen = check_rates(np.logspace(-5, 0, 11) if rates is None else rates)
    return _judged(candidates_at(rules, chosen), problems, seeds, steps, verbose)


def _judged(
    tested: list[Candidate],
    problems: Sequence[AnyProblem] | None,
    seeds: int,
    steps: int,
    verbose: bool,
) -> Result:
    check_integer("seeds", seeds, 1)
    check_integer("steps", steps, 1)
    check_flag("verbose", verbose)
    chosen = tuple(_checked(problems))
    bar = _Bar(len(tested), len(chosen), verbose)
    batch, best, rates = _reference(chosen, seeds, steps)
    bar.done()
    start = batch.start_values()
    used = np.flatnonzero(best < start)  # NaN is not
    if not len(used):
        raise ValueError(
            "On none of the `problems` does gradient descent get below the start at "
            f"any rate, so that nothing can be compared. Received: {len(start)} "
            f"problem(s), the first {batch.problems[0].name!r}"
        )
    names = [problem.name for problem in batch.problems]
    frames = []
    for candidate in tested:
        last, valid, reasons = _attempt(candidate, batch, bar)
        found = scores(last, valid)
        judged = [
            "raised" if index in reasons else GRADES[grade]
            for index, grade in zip(
                used,
                grades(
                    found._replace(values=found.values[used], runs=found.runs[used]),
                    start[used],
                    best[used],
                ),
                strict=True,
            )
        ]
        frames.append(
            pd.DataFrame(
                {
                    "optimizer": candidate.label,
                    "rule": candidate.rule,
                    "rate": candidate.rate,
                    **_described([batch.problems[index] for index in used]),
                    "start": start[used],
                    "sgd_rate": rates[used],
                    "sgd_score": best[used],
                    "score": found.values[used],
                    "progress": progress(found.values[used], start[used], best[used]),
                    "grade": judged,
                    "verdict": [
                        "pass" if grade in PASSING else "fail" for grade in judged
                    ],
                    "reason": [
                        reasons.get(int(index)) or _reason(grade, found.runs[index])
                        for index, grade in zip(used, judged, strict=True)
                    ],
                }
            )
        )
        bar.done()
    dropped = tuple(names[index] for index in np.flatnonzero(~(best < start)))
    return Result(pd.concat(frames, ignore_index=True), dropped)


@functools.lru_cache(maxsize=2)
def _reference(
    problems: tuple[AnyProblem, ...], seeds: int, steps: int
) -> tuple[Batch, np.ndarray, np.ndarray]:
    """The problems laid out, and what gradient descent does on them, kept a while."""
    batch = Batch(problems, range(seeds), steps)
    return batch, *best_descent(batch)


def _checked(problems: Sequence[AnyProblem] | None) -> list[AnyProblem]:
    if problems is None:
        return list(catalogue_problems())
    if isinstance(problems, Problem | FunctionProblem):
        return [problems]
    chosen = list(problems)
    if not chosen or not all(
        isinstance(problem, Problem | FunctionProblem) for problem in chosen
    ):
        raise ValueError(
            "`problems` must be a sequence of Problem and FunctionProblem, such as "
            f"`tk.testbed.problems(...)` returns. {received('problems', problems)}"
        )
    (name, count), *_ = collections.Counter(one.name for one in chosen).most_common()
    if count > 1:
        raise ValueError(
            "Each of the `problems` must have a name of its own. "
            + received("name", name)
        )
    return chosen


def _described(problems: Sequence[AnyProblem]) -> dict[str, list[Any]]:
    words = [problem.words for problem in problems]
    return {
        "test": [problem.name for problem in problems],
        "family": [problem.family for problem in problems],
        "dimensions": [problem.dimensions for problem in problems],
        **{name: [one[name] for one in words] for name in ("shape", "noise", "scale")},
        "drift": [str(problem.drifting) for problem in problems],
    }


def _attempt(
    candidate: Candidate, batch: Batch, bar: "_Bar"
) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Runs an optimizer in the way that suits it; what it raises is its reason."""
    shape = len(batch.problems), len(batch.seeds)
    try:
        try:
            if is_elementwise(candidate.make):
                return *together(candidate.make(), batch), {}
        except tf.errors.OpError:
            pass  # it refuses some values: on which problems does it meet them?
        return one_by_one(candidate.make, batch, bar.part)
    except Exception as error:
        reason = said(error)
    nothing = np.full(shape, np.nan), np.full(shape, False)
    return *nothing, dict.fromkeys(range(shape[0]), reason)


def _reason(grade: str, runs: np.ndarray) -> str:
    lost = int(np.isnan(runs).sum())
    return {
        "diverged": f"{lost} of {len(runs)} runs diverged",
        "partly diverged": f"{lost} of {len(runs)} runs diverged",
        "poor": "came less than a tenth as far as gradient descent",
        "unreliable": "more than a quarter of the runs came nowhere",
    }.get(grade, "")


class _Bar:
    """A progress bar over optimizers, and over problems where these take long."""

    def __init__(self, optimizers: int, problems: int, show: bool) -> None:
        self._bar = (
            keras.utils.Progbar(optimizers + 1, unit_name="optimizer") if show else None
        )
        self._problems, self._finished = problems, 0

    def done(self) -> None:
        self._finished += 1
        if self._bar:
            self._bar.update(self._finished)

    def part(self, done: int) -> None:
        if self._bar:
            self._bar.update(self._finished + done / self._problems, finalize=False)
