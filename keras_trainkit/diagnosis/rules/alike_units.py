"""Do all units of a layer have the same weights?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class AlikeUnits(Rule):
    """Finds layers whose units all have the same weights, in a run that learns little.

    Units that start alike get the same gradient for ever.

    Args:
        left: Share of the best constant answer's loss, above which much is left.

    Reference:
        [CS231n notes, weight initialization](https://cs231n.github.io/neural-networks-2/#init)
    """

    code = "alike_units"
    category = "initialisation"
    needs = ("example_loss", "trivial_loss")
    explains = (
        *LEARNS_LITTLE,
        "dead_units",
        "labels_of_others",
        "overfitting",
        "rate_too_low",
        "saturated_units",
        "stopped_too_early",
        "unreached_weights",
        "vanishing_gradient",
    )

    left: float = 0.3

    def judge(self, course: Course) -> Verdict:
        alike = list(course.task.get("alike_units", ()))
        if not alike or not course.share_left > self.left:
            return self.passes(f"{len(alike)} layers have units that are all alike")
        return self.finds_at_start(
            f"All units of {len(alike)} layers have the same weights and learn the "
            f"same: {', '.join(alike[:5])}.",
            where=alike[0],
            evidence={"layers": len(alike), "share_left": course.share_left},
            advice="Use a random initialiser: Keras' own, or 'he_normal'.",
        )
