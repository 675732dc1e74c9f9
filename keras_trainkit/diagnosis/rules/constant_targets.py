"""Do the first training examples all have the same target?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class ConstantTargets(Rule):
    """Finds targets that are all the same, or rows that come sorted by them.

    Args:
        examples: Fewest that must have been kept.
    """

    code = "constant_targets"
    category = "data"
    needs = ("target_spread",)
    explains = (
        "inference_differs",
        "learns_nothing",
        "overfitting",
        "rate_too_high",
        "validation_differs",
    )

    examples: int = 32

    def judge(self, course: Course) -> Verdict:
        count = int(course.task.get("examples", 0))
        spread = course.last("target_spread")
        if count < self.examples:
            return self.skips(f"only {count} examples were kept")
        if spread > 0:
            return self.passes(f"targets deviate by {spread:.3g}")
        return self.finds_at_start(
            f"The first {count} examples that were trained on all have the same "
            "target: the rows come sorted and are not shuffled, or the targets are "
            "all alike.",
            where="targets",
            evidence={"examples": count, "target_spread": spread},
            advice="Shuffle the rows (shuffle=True, data.shuffle(rows) before "
            "batch()), or look at how the targets are read.",
        )
