"""Does the input pipeline keep the steps waiting?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class WaitingForData(Rule):
    """Finds a run that spends most of its time waiting for data.

    The first steps are left out: a pipeline has to start. Steps of a millisecond wait
    as long for anything; what is lost must be worth a word.

    Args:
        share: Of the time of the steps, spent waiting, from which it is too large.
        seconds: Waited in all that was read, from which it is worth a word.
        first: Steps that are left out.
    """

    code = "waiting_for_data"
    category = "machine"
    needs = ("data_seconds", "step_seconds")

    share: float = 0.5
    seconds: float = 5.0
    first: int = 5

    def judge(self, course: Course) -> Verdict:
        waited = course.values("data_seconds")[self.first :]
        taken = course.values("step_seconds")[self.first :]
        known = np.isfinite(waited[: len(taken)]) & np.isfinite(taken[: len(waited)])
        waited, taken = waited[: len(known)][known], taken[: len(known)][known]
        if len(waited) < 10:
            return self.skips("fewer than 10 steps were timed")
        lost, whole = float(waited.sum()), float(taken.sum())
        share = lost / whole if whole > 0 else 0.0
        if not (share > self.share and lost > self.seconds):
            return self.passes(f"{share:.0%} of {whole:.3g} s spent waiting for data")
        return self.finds(
            f"The steps wait for their data {share:.0%} of the time: the input "
            "pipeline is slower than the model.",
            where="x",
            evidence={
                "share_waited": share,
                "seconds_waited": lost,
                "median_wait": float(np.median(waited)),
                "limits": f"{self.share:.0%}, {self.seconds:g} s",
            },
            advice="data.cache().prefetch(tf.data.AUTOTUNE), "
            "map(..., num_parallel_calls=tf.data.AUTOTUNE), or workers=4 of a "
            "keras.utils.PyDataset.",
        )
