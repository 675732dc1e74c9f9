"""Are single labels learnt by heart that the other examples contradict?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class ContradictedLabels(Rule):
    """Finds labels that are learnt late and by heart, while validation gets worse.

    A net learns first what holds for many examples. Those that lose more than twice
    as much as a constant answer would, at the epoch of the best validation, are
    labelled otherwise than the rest suggests; if they are learnt afterwards and
    validation gets worse by it, their labels are to be looked at.

    Args:
        share: Of the examples, contradicted at the best epoch, from which it is
            notable.
        kept: Share of these that may still be contradicted at the end.
        rise: Of the validation loss since its best, as a share of the best constant
            answer's, from which it got worse.
        examples: Fewest training examples; fewer can be learnt by heart anyway.

    Reference:
        [Arpit et al., 2017, A closer look at memorization](https://arxiv.org/abs/1706.05394)
    """

    code = "contradicted_labels"
    category = "labels"
    needs = ("contradicted_fraction", "val_loss", "trivial_loss")
    explains = ("overfitting",)

    share: float = 0.05
    kept: float = 0.5
    rise: float = 0.2
    examples: int = 200

    def judge(self, course: Course) -> Verdict:
        against = course.values("contradicted_fraction")
        validation = course.validation
        count = min(len(against), len(validation))
        if count < 4 or not np.isfinite(validation).all():
            return self.skips("fewer than 4 epochs with validation")
        if course.task.get("examples", 0) < self.examples or not course.has_floor:
            return self.skips(f"fewer than {self.examples} examples, or no floor")
        against, validation = against[-count:], validation[-count:]
        best = int(validation.argmin())
        rise = float(validation[-1] - validation[best]) / course.trivial
        learnt = validation[best] < 0.9 * course.trivial
        late = against[-1] <= self.kept * against[best]
        if not (learnt and late and against[best] > self.share and rise > self.rise):
            return self.passes(f"{against[best]:.0%} contradicted at the best epoch")
        return self.finds(
            f"{against[best]:.0%} of the training examples were labelled otherwise "
            "than the model had learnt from the rest at its best epoch; since then "
            "they are learnt by heart, and validation gets worse.",
            where="targets",
            evidence={
                "contradicted_at_best": float(against[best]),
                "contradicted_now": float(against[-1]),
                "validation_rise": rise,
                "limits": f"{self.share:.0%}, rise {self.rise:g}",
            },
            advice="Look at the examples that lose most at the best epoch: correct "
            "their labels or leave them out; stop at that epoch.",
        )
