"""Which tensor went NaN or infinite first?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class Nonfinite(Rule):
    """Names the tensor that held NaN or infinity first, and at which step.

    Every later check cries where numbers are not finite, so that this explains all of
    them; what stood before the first step, as inputs out of scale, explains this. If
    the loss had grown `growth`-fold before, the rate is to blame. Gradients
    that overflow because loss scaling has scaled too far are no fault: its optimizer
    skips such a step and scales less, unless they go on for 30 steps running.

    Args:
        growth: Of the loss over its start, from which the run diverged by itself.
    """

    code = "nonfinite"
    category = "numerical"
    needs = ("loss",)
    explains = (
        *LEARNS_LITTLE,
        "dead_units",
        "diverging",
        "inference_differs",
        "labels_of_others",
        "rate_too_high",
        "saturated_units",
        "stopped_too_early",
        "unreached_weights",
        "validation_differs",
        "vanishing_gradient",
    )

    growth: float = 10.0

    def judge(self, course: Course) -> Verdict:
        first = course.first_nonfinite
        values = course.values("loss")
        bad = np.flatnonzero(~np.isfinite(values))
        if first is None and not len(bad):
            skipped = len(course.overflow_steps)
            return self.passes(
                "everything measured was finite"
                + f", but for gradients of {skipped} steps that loss scaling skipped"
                * bool(skipped)
            )
        step = first.step if first is not None else int(bad[0])
        before = values[: int(bad[0])] if len(bad) else values
        grew = len(before) > 1 and before.max() > self.growth * abs(before[0])
        place = "the loss" if first is None else f"'{first.series.tensor_name}'"
        evidence = {"step": step, "loss_before": _last(before)}
        if first is not None:
            evidence["count"] = first.count
        return self.finds(
            f"The first numbers that are not finite are in {place}, at step {step}.",
            category="learning rate" if grew else "numerical",
            where="loss" if first is None else first.series.layer,
            severity="error",
            evidence=evidence,
            first_step=step,
            advice="The loss had grown before: divide the learning rate by 10, or "
            "clip gradients (`global_clipnorm=1.0`)."
            if grew
            else "Look for NaN in the inputs and targets of that step, and for log(0), "
            "sqrt(0) or a division by zero in the layer; tk.preflight looks too.",
        )


def _last(values: np.ndarray) -> float:
    return float(values[-1]) if len(values) else float("nan")
