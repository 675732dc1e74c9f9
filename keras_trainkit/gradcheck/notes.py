"""What a user should know beside the comparisons."""

import math

import numpy as np

from keras_trainkit.gradcheck.difference import relative_error
from keras_trainkit.gradcheck.locate import Comparison
from keras_trainkit.gradcheck.variants import forward_derivative


def notes_on(comparison: Comparison, widening: float) -> list[str]:
    """Returns notes on depth, scale, unreached tensors and penalties."""
    evaluator, point = comparison.evaluator, comparison.point
    problem, notes = evaluator.problem, []
    if widening > 1.0:
        notes.append(
            f"the tolerance is widened {widening:.1f} times for "
            f"{problem.depth} layers with weights"
        )
    size = float(np.max(np.abs(point.terms)))
    if size > 1e18 or 0.0 < size < 1e-18:
        notes.append(f"the loss is {size:.1e}, near the limits of float32: rescale it")
    unreached = [
        name
        for name, reached in zip(
            problem.names, np.any(evaluator.connected, axis=0), strict=True
        )
        if not reached
    ]
    if unreached:
        notes.append(f"no gradient reaches {', '.join(unreached)}")
    if len(problem.term_names) == 3:
        notes += _regularization_notes(comparison)
    return notes


def forward_note(comparison: Comparison) -> str:
    """Returns what forward mode says along one random direction."""
    evaluator = comparison.evaluator
    found = forward_derivative(evaluator, 1)
    if found is None:
        return "forward mode: not available for some operation of this function"
    job = evaluator.direction(0, evaluator.total, 1)
    claimed = evaluator.along(comparison.gradient, job)[0, -1]
    error = float(relative_error(np.array([claimed]), found[-1:])[0])
    return (
        f"forward mode along a random direction: {found[-1]:+.9e}, reverse mode "
        f"{claimed:+.9e}, relative difference {error:.1e} (advice only)"
    )


def _regularization_notes(comparison: Comparison) -> list[str]:
    evaluator, (data, penalty, total) = comparison.evaluator, comparison.point.terms
    notes = []
    if not math.isclose(data + penalty, total, rel_tol=1e-6, abs_tol=1e-12):
        notes.append(
            f"the declared weight penalties ({penalty:.4g}) are not part of the "
            f"loss: data {data:.4g}, total {total:.4g}"
        )
    for tensor, name in enumerate(evaluator.problem.names):
        parts = np.linalg.norm(
            comparison.gradient[:, evaluator.packing.places(tensor)], axis=1
        )
        if parts[1] > 10 * parts[0]:
            notes.append(
                f"regularization dominates the gradient of {name}: {parts[1]:.2e} "
                f"against {parts[0]:.2e} from the data"
            )
    return notes
