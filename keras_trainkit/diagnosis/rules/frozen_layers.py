"""Are layers frozen that would have to learn?"""

import dataclasses

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import LEARNS_LITTLE, Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class FrozenLayers(Rule):
    """Finds frozen layers in a run that learns little.

    Args:
        left: Share of the best constant answer's loss, above which much is left.
    """

    code = "frozen_layers"
    category = "capacity"
    needs = ("example_loss", "trivial_loss")
    explains = (*LEARNS_LITTLE, "stopped_too_early")

    left: float = 0.6

    def judge(self, course: Course) -> Verdict:
        frozen = int(course.task.get("frozen_layers", 0))
        if not frozen or not course.share_left > self.left:
            return self.passes(f"{frozen} layers are frozen")
        return self.finds(
            f"{frozen} layers are frozen, and the rest learns little.",
            where="layers",
            evidence={"frozen_layers": frozen, "share_left": course.share_left},
            first_step=0,
            advice="Set layer.trainable = True and compile again, or give the head "
            "more units.",
        )
