"""Newton's method without the Hessian: conjugate gradients in a trust region."""

import math
from collections.abc import Iterator
from typing import Any

from keras_trainkit.second_order.evaluations import Evaluations, Iterate, Point
from keras_trainkit.second_order.vectors import exact_dot, moved, precision_of

ACCEPTED = 1e-4  # of the decrease that the quadratic foretells
GOOD, BAD = 0.75, 0.25  # of it, beyond which the region grows or shrinks
ROUNDS = 100  # of conjugate gradients in one step


def newton_cg(evaluate: Evaluations, start: Any) -> Iterator[Iterate]:
    """Yields the iterates of Newton-CG until no lower loss is found.

    Each step minimises the quadratic by conjugate gradients, from products with the
    Hessian alone, as far as the gradient's size makes it worth while, and stops where
    it meets negative curvature or the border of the region in which the quadratic is
    trusted.

    Args:
        evaluate: The loss, with products of its Hessian.
        start: The first vector, shape `(n,)`.

    Reference:
        [Steihaug, 1983](https://doi.org/10.1137/0720042); [Nocedal and Wright, 2006,
        algorithm 7.2](https://doi.org/10.1007/978-0-387-40065-5)
    """
    point = evaluate(start)
    radius = max(1.0, math.sqrt(exact_dot(start, start)))
    rounding = precision_of(start)
    while True:
        step, foretold, at_border = _step(evaluate, point, radius)
        noise = 4 * rounding * abs(point.value)
        if foretold <= 0:
            return
        reached = evaluate(moved(point.vector, 1.0, step))
        fell = point.value - reached.value
        good = fell / foretold if math.isfinite(fell) else -1.0
        size = math.sqrt(exact_dot(step, step))
        if good < BAD:
            radius = size / 4
        elif good > GOOD and at_border:
            radius = 2 * radius
        if good > ACCEPTED and fell > 0:
            point = reached
            details = {"step_length": size, "trust_radius": radius}
            yield Iterate(point.vector, point.value, point.gradient_norm, details)
        elif foretold <= noise or radius < 1e-10:
            return


def _step(
    evaluate: Evaluations, point: Point, radius: float
) -> tuple[Any, float, bool]:
    """Returns the step, the decrease it foretells, and whether it ends at the border.

    `rest` is minus the gradient of the quadratic at the step.
    """
    step = 0 * point.gradient
    rest = -point.gradient
    along = rest
    square = exact_dot(rest, rest)
    first = math.sqrt(square)
    enough = first * min(0.5, math.sqrt(first))
    foretold = 0.0
    for _ in range(ROUNDS):
        if math.sqrt(square) <= enough:
            break
        product = evaluate.product(point.vector, along)
        curved = exact_dot(along, product)
        slope = exact_dot(rest, along)
        if not math.isfinite(curved):
            break
        length = square / curved if curved > 0 else math.inf
        border = _to_border(step, along, radius)
        if length >= border:
            foretold += border * slope - border**2 * curved / 2
            return moved(step, border, along), foretold, True
        foretold += length * slope - length**2 * curved / 2
        step = moved(step, length, along)
        rest = moved(rest, -length, product)
        before, square = square, exact_dot(rest, rest)
        along = moved(rest, square / before, along)
    return step, foretold, False


def _to_border(step: Any, along: Any, radius: float) -> float:
    """Returns how far it is along a direction to the border of the region."""
    a, b = exact_dot(along, along), exact_dot(step, along)
    c = exact_dot(step, step) - radius**2
    return (-b + math.sqrt(max(b * b - a * c, 0.0))) / max(a, 1e-300)
