"""Is what training learns of no use for other examples?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class LabelsOfOthers(Rule):
    """Finds a run that learns its examples by heart and nothing that generalises.

    With labels that belong to other examples, the validation loss never comes below
    that of the best constant answer, from the first epoch on. Where examples with like
    inputs have targets no more alike than by chance, that is enough, also if nothing
    is learnt by heart; where they are alike, labels are right.

    Args:
        learnt: Share of the best constant answer's loss, below which the training
            examples are being learnt.
        firm: Share of it above which so little is learnt that the finding is a
            warning: inputs that say little of their targets look alike.
        validation: Share of it above which validation stays.
        epochs: Fewest epochs.
        examples: Fewest training examples; fewer can be learnt by heart anyway.
    """

    code = "labels_of_others"
    category = "labels"
    needs = ("val_loss", "trivial_loss")
    explains = (*LEARNS_LITTLE, "overfitting")

    learnt: float = 0.9
    firm: float = 0.8
    validation: float = 0.97
    epochs: int = 3
    examples: int = 200

    def judge(self, course: Course) -> Verdict:
        if (
            course.depends_on_rows
            or not course.has_floor
            or len(course.validation) < self.epochs
        ):
            return self.skips(f"fewer than {self.epochs} epochs with validation")
        if course.task.get("examples", 0) < self.examples:
            return self.skips(f"fewer than {self.examples} examples")
        best = float(course.validation.min()) / course.trivial
        left = course.share_left
        first = float(course.validation[0]) / course.trivial
        by_heart = left < self.learnt and first < 2.0
        found = (by_heart or course.labels_fit_by_chance) and best > self.validation
        if course.labels_fit_inputs or not found:
            return self.passes(f"validation came to {best:.2g} of a constant's loss")
        firm = course.labels_fit_by_chance or left < self.firm
        if not by_heart:
            message = (
                "Validation was never better than a constant answer, and examples with "
                "like inputs have targets that are alike by chance only."
            )
        elif firm:
            message = (
                "The training examples are being learnt, but validation was never "
                "better than a constant answer: what is learnt holds for no other "
                "example."
            )
        else:
            message = (
                "Little of the training examples is learnt, and nothing that holds for "
                "others: labels may belong to other examples, or the inputs say little "
                "of them."
            )
        return self.finds(
            message,
            where="targets",
            severity="error" if firm else "warning",
            evidence={
                "training_share_left": left,
                "best_validation_share": best,
                "limit": self.validation,
                "neighbours_alike": course.neighbours_alike,
            },
            advice="Check that labels belong to their inputs: look at ten pairs, and "
            "shuffle both by one permutation."
            + ("" if firm else " If they do, more examples or other inputs will help."),
        )
