"""Do the best trials sit at the end of a range? Then the range is too narrow."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_trainkit.arguments import check_number, received
from keras_trainkit.finding import Finding
from keras_trainkit.search.engine.keras_tuner import HyperParameter, Trial
from keras_trainkit.search.ranges.positions import (
    LOWER,
    UPPER,
    is_logarithmic,
    is_range,
    is_scale,
    natural_end,
    position,
)
from keras_trainkit.search.ranges.widening import next_value, widened

if TYPE_CHECKING:
    from keras_tuner import Tuner

ZONE = 0.2
_FEWEST_TRIALS = 8
_TURN = 0.25


class Crowding(NamedTuple):
    """How many of the best trials lie in the zone at one end of a range.

    Args:
        trials: Trials that ended, failed ones among them.
        best: How many of them count as the best.
        near: How many of all lie in the zone.
        best_near: How many of the best lie in the zone.
        beyond: How many that are not among the best lie beyond the outermost of these.
        chance: Probability of so many or more, if the score did not depend on this
            hyperparameter.
    """

    trials: int
    best: int
    near: int
    best_near: int
    beyond: int
    chance: float

    @property
    def at_end(self) -> bool:
        """Whether half of the best lie near and the score does not turn before it.

        It turns if so many others lie beyond the best that chance would hardly put
        them there, were all places in the zone alike.
        """
        if 2 * self.best_near < self.best:
            return False
        ways = math.comb(self.near - self.beyond, self.best_near)
        return ways > _TURN * math.comb(self.near, self.best_near)


def edge_warnings(tuner: "Tuner", *, chance: float = 0.05) -> list[Finding]:
    """Says which ranges are too narrow: the best trials crowd at one of their ends.

    The best fifth of the trials (3 to 10) is looked at, not the best one alone. Of
    all `n` trials `m` lie in the outer fifth of a range (of its decades, if it is
    sampled in log space), of the best `k` trials `c` do. If the score did not depend
    on this hyperparameter, `c` or more would lie there with the hypergeometric
    probability `P`. A warning is given if `c` is at least half of `k` and `P`, times
    the number of ends looked at, is at most `chance`: over all ranges together, a
    search in which nothing matters then warns in at most that share of the cases.
    None is given if the score turns before the end: so many worse trials lie beyond
    the best that chance would put them there in a quarter of the cases at most.
    Trials that failed count as the worst, so that an end where training diverges is
    no edge. The rule says nothing before eight trials have ended.

    An end that nothing lies beyond raises no warning: 0, the 1 of a share, the 0 or 1
    of a count. A `Choice` of rising numbers gives an "info", one of names or flags
    nothing. Of a search in stages, the present stage is judged in its own range.

    Args:
        tuner: Any KerasTuner tuner, during its search or after it.
        chance: Largest probability of a warning by chance alone, in (0, 1).

    Returns:
        Findings, the surest first. `where` is the hyperparameter, `confidence` is
        1 minus the corrected probability, `advice` holds the range to try.

    Raises:
        ValueError: If `tuner` is no tuner or `chance` is out of range.

    Example:
        ```python
        tuner.search(x, y, validation_data=(xv, yv), epochs=1)
        for finding in tk.search.edge_warnings(tuner):
            print(finding)
        ```
    """
    chance = check_number(
        "chance", chance, 0.0, 1.0, open_minimum=True, open_maximum=True
    )
    oracle = getattr(tuner, "oracle", None)
    if oracle is None or not hasattr(oracle, "get_space"):
        raise ValueError(
            f"`tuner` must be a KerasTuner tuner. {received('tuner', tuner)}"
        )
    space, trials = present_space(oracle)
    ranked = rank(trials, oracle.objective.direction)
    ends = [
        (hp, end)
        for hp in space
        if is_range(hp) or is_scale(hp)
        for end in (LOWER, UPPER)
        if not natural_end(hp, end)
    ]
    found = []
    for hp, end in ends:
        crowding = crowd(places_of(hp, ranked), end)
        if crowding is None or not crowding.at_end:
            continue
        corrected = min(1.0, crowding.chance * len(ends))
        if corrected <= chance:
            found.append(_finding(hp, end, crowding, 1.0 - corrected))
    return sorted(found, key=lambda finding: -finding.confidence)


def warning_lines(tuner: "Tuner") -> list[str]:
    """The present warnings in one line each, without hints."""
    return [
        f"{finding.message} {finding.advice}"
        for finding in edge_warnings(tuner)
        if finding.severity == "warning"
    ]


def present_space(oracle: Any) -> tuple[list[HyperParameter], list[Trial]]:
    """The ranges that trials are drawn from now, and the trials drawn from them."""
    if hasattr(oracle, "present_stage"):  # a search in stages
        return oracle.present_stage()
    return oracle.get_space().space, list(oracle.trials.values())


def rank(trials: Sequence[Trial], direction: str) -> list[Trial]:
    """Trials that ended, the best first, then those without a finite score."""
    ended = [
        trial for trial in trials if trial.status in ("COMPLETED", "FAILED", "INVALID")
    ]
    sign = -1.0 if direction == "max" else 1.0

    def key(trial: Trial) -> float:
        score = trial.score if trial.status == "COMPLETED" else None
        return math.inf if score is None or not math.isfinite(score) else sign * score

    return sorted(ended, key=key)


def places_of(hp: HyperParameter, ranked: Sequence[Trial]) -> list[float]:
    """Positions in a range of the trials that have a value of it, in their order."""
    return [
        position(hp, trial.hyperparameters.values[hp.name])
        for trial in ranked
        if hp.name in trial.hyperparameters.values
    ]


def crowd(places: Sequence[float], end: str) -> Crowding | None:
    """Counts the trials near one end; `None` while there are too few to say.

    Args:
        places: Positions of the trials that ended, the best trial first.
        end: `LOWER` or `UPPER`.
    """
    best = count_best(len(places))
    if not best:
        return None
    gaps = [1 - place if end == UPPER else place for place in places]
    near = [gap <= ZONE + 1e-9 for gap in gaps]
    outermost = min(gaps[:best])
    beyond = sum(gap < outermost for gap in gaps[best:])
    counts = (len(places), best, sum(near), sum(near[:best]))
    return Crowding(*counts, beyond, probability(*counts))


def count_best(trials: int) -> int:
    """How many trials count as the best: a fifth, 3 to 10; 0 if there are too few."""
    return min(10, max(3, trials // 5)) if trials >= _FEWEST_TRIALS else 0


def probability(trials: int, best: int, near: int, best_near: int) -> float:
    """Chance that of `best` trials drawn from all, `best_near` or more lie near."""
    ways = sum(
        math.comb(near, count) * math.comb(trials - near, best - count)
        for count in range(best_near, min(best, near) + 1)
    )
    return ways / math.comb(trials, best)


def _finding(
    hp: HyperParameter, end: str, crowding: Crowding, confidence: float
) -> Finding:
    evidence: dict[str, Any] = {
        "best trials": crowding.best,
        "of these at the end": crowding.best_near,
        "trials": crowding.trials,
        "of all at the end": crowding.near,
        "chance": float(f"{crowding.chance:.2g}"),
    }
    if is_scale(hp):
        return Finding(
            f"The best values of {hp.name} are the {_extreme(end)} offered.",
            where=hp.name,
            code="scale_too_narrow",
            category="search",
            severity="info",
            confidence=confidence,
            evidence={"values": list(hp.values), **evidence},
            advice=f"Offer a further value, such as {next_value(hp, end):g}.",
        )
    low, high = widened(hp, end)
    scale = " (in log space)" if is_logarithmic(hp) else ""
    return Finding(
        f"The best values of {hp.name} sit at the {end} end of its range{scale}.",
        where=hp.name,
        code="range_too_narrow",
        category="search",
        confidence=confidence,
        evidence={
            "end": end,
            "range": f"{hp.min_value:.3g} to {hp.max_value:.3g}",
            **evidence,
        },
        advice=f"Search on with a wider range: {low:.4g} to {high:.4g}.",
    )


def _extreme(end: str) -> str:
    return "largest" if end == UPPER else "smallest"
