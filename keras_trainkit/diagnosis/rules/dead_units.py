"""Have so many units fallen silent that it hurts?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class DeadUnits(Rule):
    """Finds layers most of whose units are silent, in a run that stands still.

    Wide layers on few or binary inputs keep most units silent from the start and
    learn perfectly: silent is not dead. Units are called dead only where hardly
    anything is learnt.

    Args:
        most: Share of a layer's units, above which it passes too little on.
    """

    code = "dead_units"
    category = "activation"
    needs = ("dead_fraction", "trivial_loss")
    explains = (
        *LEARNS_LITTLE,
        "rate_too_low",
        "stopped_too_early",
        "unreached_weights",
        "vanishing_gradient",
    )

    most: float = 0.8

    def judge(self, course: Course) -> Verdict:
        last = {layer: float(values[-1]) for layer, values in course.dead.items()}
        worst = max(last, key=lambda layer: last[layer])
        died = last[worst] - float(course.dead[worst][0])
        if last[worst] <= self.most:
            return self.passes(f"at most {last[worst]:.0%} of a layer's units silent")
        if not course.is_stuck:
            return self.passes(
                f"{last[worst]:.0%} of the units of '{worst}' are silent, and the run "
                "learns"
            )
        return self.finds(
            f"{last[worst]:.0%} of the units of '{worst}' are dead: they gave zero on "
            "every example measured, no gradient can wake them, and the run learns "
            "nothing.",
            where=worst,
            severity="error",
            evidence={
                "dead_fraction": last[worst],
                "limit": self.most,
                "died_during_training": died,
                "share_left": course.share_left,
            },
            advice="Start again with a lower learning rate, biases of zero and He "
            "initialisation, or use a leaky ReLU.",
        )
