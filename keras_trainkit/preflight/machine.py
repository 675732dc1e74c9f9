"""Which device trains, and is XLA faster here?"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.keras_model.arrays import row_count
from keras_trainkit.preflight.backward import backward
from keras_trainkit.preflight.functional import loss_problem
from keras_trainkit.preflight.subject import Subject
from keras_trainkit.problems.flat import FlatLoss

REPEATS = 5
GAIN = 1.2  # times faster from which a change of jit_compile is worth a word


def check_machine(subject: Subject) -> Verdict:
    """Names the device and times loss and gradient, where it may pay also with XLA.

    Times vary from run to run, so this check never fails; it advises.

    Args:
        subject: The model and its data.
    """
    accelerators = tf.config.list_logical_devices("GPU")
    device = (
        f"{len(accelerators)} GPU"
        if accelerators
        else f"{len(tf.config.list_physical_devices('CPU'))} CPU, no GPU"
    )
    subject.need_loss()
    if not subject.model.trainable_variables:
        return not_judged("machine", f"{device}; the model has no trainable weights")
    rows = row_count(*subject.batch())
    # "auto" means off on a machine without an accelerator.
    used = bool(getattr(subject.model, "jit_compile", False))
    if not accelerators and not used:
        # To compile costs seconds, and on a CPU the outcome is rarely faster.
        plain = _median(backward(subject).again)
        return judged(
            "machine",
            f"{device}; gradient of {rows} examples {1e3 * plain:.3g} ms; without a "
            "GPU jit_compile was not tried",
        )
    problem = loss_problem(subject)
    plain = _seconds(problem, jit=False)
    why = f"{device}; gradient of {rows} examples {1e3 * plain:.3g} ms"
    try:
        fused = _seconds(problem, jit=True)
    except (tf.errors.OpError, ValueError, NotImplementedError):
        return judged(
            "machine", f"{device}; XLA cannot compile this step; keep jit_compile=False"
        )
    faster = "on" if fused < plain else "off"
    why += f", with XLA {1e3 * fused:.3g} ms: jit_compile {faster} is faster here"
    ratio = max(plain, fused) / min(plain, fused)
    if ratio < GAIN or used == (fused < plain):
        return judged("machine", why)
    return judged(
        "machine",
        why,
        [
            Finding(
                f"jit_compile {faster} is {ratio:.1f} times faster here.",
                "",
                "info",
                code="slower_compilation",
                category="machine",
                evidence={"plain_seconds": plain, "xla_seconds": fused},
                advice=f"model.compile(..., jit_compile={fused < plain}).",
            )
        ],
    )


def _seconds(problem: Any, jit: bool) -> float:
    flat = FlatLoss.of_problem(problem, -1, jit_compile=jit)
    vector = tf.constant(flat.packing.pack(problem.values))

    def step() -> None:
        flat.value_and_gradient(vector)[0].numpy()

    step()  # the first call traces and compiles
    return _median(step)


def _median(step: Callable[[], Any]) -> float:
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        step()
        times.append(time.perf_counter() - begun)
    return float(np.median(times))
