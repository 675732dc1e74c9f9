"""Newton's method with the whole Hessian, damped by how well it foretells the loss."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_trainkit.second_order.evaluations import Evaluations, Iterate

ACCEPTED = 1e-4  # of the decrease that the quadratic foretells
GOOD, BAD = 0.75, 0.25  # of it, beyond which the damping falls or grows
FACTOR = 4.0  # by which it does


def newton(evaluate: Evaluations, start: Any) -> Iterator[Iterate]:
    """Yields the iterates of Newton's method until no lower loss is found.

    Each step solves `(H + damping * I) d = -g` by Cholesky's factors. The damping
    grows until the matrix is positive definite and the loss falls by a share of what
    the quadratic foretells, and vanishes where the quadratic is right: one step then
    reaches the minimum of a quadratic.

    Args:
        evaluate: The loss, with its Hessian.
        start: The first vector, an array of shape `(n,)`.

    Reference:
        [Nocedal and Wright, 2006, sections 3.4 and
        4.1](https://doi.org/10.1007/978-0-387-40065-5)
    """
    point = evaluate(start)
    damping = 0.0
    rounding = float(np.finfo(np.asarray(start).dtype).eps)
    while True:
        hessian = evaluate.hessian(point.vector)
        if not np.isfinite(hessian).all():
            return
        gradient = np.asarray(point.gradient, np.float64)
        scale = max(float(np.abs(np.diag(hessian)).max(initial=0.0)), 1e-30)
        # Weights that do not matter leave the Hessian singular to rounding.
        least = 16 * rounding * scale
        accepted = False
        while damping <= 1e12 * scale:
            factor = _cholesky(hessian, max(damping, least))
            if factor is None:
                damping = max(FACTOR * damping, 1e-6 * scale)
                continue
            step = -_solve(factor, gradient)
            foretold = -(gradient @ step + step @ hessian @ step / 2)
            reached = evaluate(point.vector + step.astype(start.dtype))
            fell = point.value - reached.value
            noise = 4 * rounding * abs(point.value)
            good = fell / foretold if foretold > 0 and np.isfinite(fell) else -1.0
            if good > GOOD:
                damping = damping / FACTOR if damping > 1e-9 * scale else 0.0
            elif good < BAD:
                damping = max(FACTOR * damping, 1e-6 * scale)
            if good > ACCEPTED and fell > 0:
                point, accepted = reached, True
                break
            if foretold <= noise:
                break  # below the rounding of the loss nothing can be told
        if not accepted:
            return
        details = {"step_length": float(np.linalg.norm(step)), "damping": damping}
        yield Iterate(point.vector, point.value, point.gradient_norm, details)


def _cholesky(hessian: np.ndarray, damping: float) -> np.ndarray | None:
    matrix = hessian.copy()
    matrix[np.diag_indices_from(matrix)] += damping
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return None


def _solve(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solves with a lower triangular factor of a symmetric matrix.

    NumPy has no triangular solver; its general one costs twice the factors.
    """
    return np.linalg.solve(factor.T, np.linalg.solve(factor, right))
