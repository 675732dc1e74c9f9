"""Does the gradient still arrive at the first layer?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class VanishingGradient(Rule):
    """Finds a gradient that shrinks over the layers of a run that learns nothing.

    Args:
        decay: Gradient of the first kernel over that of the last, below which it
            has vanished.
    """

    code = "vanishing_gradient"
    category = "initialisation"
    needs = ("gradient_norm", "trivial_loss")
    explains = (
        *LEARNS_LITTLE,
        "rate_too_low",
        "saturated_units",
        "stopped_too_early",
        "unreached_weights",
    )

    decay: float = 1e-3

    def judge(self, course: Course) -> Verdict:
        decay = course.gradient_decay
        if not decay < self.decay or not course.is_stuck:
            return self.passes(f"first gradient over last: {decay:.1e}")
        first = next(iter(course.gradient_norms))
        bounded = bool(course.select("saturated_fraction"))
        return self.finds_at_start(
            f"The gradient vanishes: at '{first}' it is {decay:.0e} of what it is at "
            "the last layer, and the loss does not leave that of a constant answer.",
            category="activation" if bounded else "initialisation",
            where=first,
            evidence={
                "first_over_last": decay,
                "limit": self.decay,
                "share_left": course.share_left,
            },
            advice="Use ReLU with kernel_initializer='he_normal', add "
            "BatchNormalization or skip connections, or take fewer layers.",
        )
