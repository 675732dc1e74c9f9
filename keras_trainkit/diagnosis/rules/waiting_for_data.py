"""Does the input pipeline keep the steps waiting?"""

import dataclasses

import numpy as np

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.finding import Verdict


@dataclasses.dataclass(frozen=True)
class WaitingForData(Rule):
    """Finds a run whose steps spend most of their time waiting for data.

    The first step of an epoch is left out, for a pipeline has to start, and the
    typical step is judged, no single ones. Steps of a few milliseconds wait about as
    long for anything, a busy machine makes it more: that is no fault.

    Args:
        share: Of the time of a step, spent waiting, from which it is too large.
        seconds: Wait of a step from which it is worth a word.
    """

    code = "waiting_for_data"
    category = "machine"
    needs = ("data_seconds", "step_seconds")

    share: float = 0.5
    seconds: float = 0.02

    def judge(self, course: Course) -> Verdict:
        _, epochs, waited = course.arrays(course.select("data_seconds")[0])
        taken = course.values("step_seconds")
        if len(waited) != len(taken):
            return self.skips("waits and steps were not timed alike")
        inner = np.diff(epochs, prepend=-1) == 0
        inner &= np.isfinite(waited) & np.isfinite(taken)
        if inner.sum() < 10:
            return self.skips("fewer than 10 steps within epochs were timed")
        wait, step = float(np.median(waited[inner])), float(np.median(taken[inner]))
        if not (wait > self.seconds and wait > self.share * step):
            return self.passes(f"a step of {step:.2g} s waits {wait:.2g} s for data")
        return self.finds(
            f"A step of {step:.2g} s waits {wait:.2g} s for its data: the input "
            "pipeline is slower than the model.",
            where="x",
            evidence={
                "median_wait": wait,
                "median_step": step,
                "limits": f"{self.share:.0%} of a step, {self.seconds:g} s",
            },
            advice="data.cache().prefetch(tf.data.AUTOTUNE), "
            "map(..., num_parallel_calls=tf.data.AUTOTUNE), or workers=4 of a "
            "keras.utils.PyDataset.",
        )
