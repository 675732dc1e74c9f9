"""L-BFGS with a strong Wolfe line search on the full loss."""

from collections.abc import Iterator
from typing import Any

from keras_trainkit.second_order.curvature_pairs import CurvaturePairs
from keras_trainkit.second_order.evaluations import Evaluations, Iterate, Point
from keras_trainkit.second_order.line_search import Trial, strong_wolfe
from keras_trainkit.second_order.vectors import exact_dot, moved, precision_of


def lbfgs(
    evaluate: Evaluations, start: Any, *, history_size: int = 10
) -> Iterator[Iterate]:
    """Yields the iterates of L-BFGS until no lower loss is found.

    The direction is minus the inverse Hessian that the last pairs of steps and
    changes of the gradient stand for, times the gradient. Where that fails (NaN, no
    descent, no lower loss), the pairs are forgotten and the search goes on along the
    gradient, from the best point.

    Args:
        evaluate: The loss.
        start: The first vector, shape `(n,)`.
        history_size: Pairs that are remembered, int >= 1.

    Reference:
        [Liu and Nocedal, 1989](https://doi.org/10.1007/BF01589116)
    """
    pairs = CurvaturePairs(history_size)
    point = evaluate(start)
    rounding = 4 * precision_of(start)
    while True:
        direction = pairs.direction(point.gradient)
        slope = exact_dot(point.gradient, direction)
        # Without pairs, one unit of length at most.
        first = 1.0 if len(pairs) else min(1.0, 1.0 / max((-slope) ** 0.5, 1e-30))
        trial = _search(evaluate, point, direction, slope, first, rounding)
        if trial is None or trial.length == 0:
            if not len(pairs):
                return
            pairs.clear()
            continue
        before, point = point, trial.state
        b_s = -trial.length * before.gradient
        pairs.add(point.vector - before.vector, point.gradient - before.gradient, b_s)
        details = {"step_length": trial.length}
        yield Iterate(point.vector, point.value, point.gradient_norm, details)


def _search(
    evaluate: Evaluations,
    point: Point,
    direction: Any,
    slope: float,
    first: float,
    rounding: float,
) -> Trial | None:
    if not slope < 0:
        return None

    def at(length: float) -> Trial:
        reached = evaluate(moved(point.vector, length, direction))
        slope = exact_dot(reached.gradient, direction)
        return Trial(length, reached.value, slope, reached)

    start = Trial(0.0, point.value, slope, point)
    return strong_wolfe(at, start, first, rounding=rounding)
