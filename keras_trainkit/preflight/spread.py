"""Do activations and gradients keep their size from the first layer to the last?"""

import numpy as np

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.preflight.backward import backward
from keras_trainkit.preflight.subject import Subject

APART = 1e3  # ratio of two layers' sizes that hinders learning


def check_spread(subject: Subject) -> Verdict:
    """Measures each layer's activations and the gradients that arrive at them.

    At a good initialisation both keep their size over the depth. A steady fall or
    growth by a thousand means vanishing or exploding signals.

    Args:
        subject: The model and its data.
    """
    subject.need_loss()
    if not subject.model.trainable_variables:
        return not_judged("signal spread", "the model has no trainable weights")
    found = backward(subject)
    names, activations, gradients = found.layers, found.activations, found.arriving
    if not names:
        return not_judged("signal spread", "no layer with weights could be watched")
    known = found.reached
    reached = [name for name, is_known in zip(names, known, strict=True) if is_known]
    gradients = gradients[known]
    # The last layer's size is set by its task, not by the initialisation.
    hidden = max(1, len(names) - 1)
    findings = [
        *_judge(names[:hidden], activations[:hidden], "activations", "forward"),
        *_judge(reached, gradients, "gradients", "backward"),
    ]
    why = (
        f"activations {activations[0]:.2g} ({names[0]}) to {activations[-1]:.2g} "
        f"({names[-1]})"
    )
    if len(gradients):
        why += f", gradients {gradients[0]:.2g} to {gradients[-1]:.2g}"
    return judged("signal spread", why, findings)


def _judge(names: list[str], sizes: np.ndarray, what: str, way: str) -> list[Finding]:
    if not len(sizes):
        return []
    if not np.isfinite(sizes).all():
        place = names[int(np.flatnonzero(~np.isfinite(sizes))[0])]
        return [
            Finding(
                f"The {what} of {place} are not finite.",
                place,
                "error",
                code="signal_not_finite",
                category="numerical",
                advice="Scale the inputs; look for log(0) or a division by zero.",
            )
        ]
    silent = [name for name, size in zip(names, sizes, strict=True) if size == 0]
    alive = sizes[sizes > 0]
    findings = [
        Finding(
            f"The {what} of {name} are all zero.",
            name,
            "error",
            code="signal_all_zero",
            category="initialisation",
            advice="Dead from the start: check its initial weights and inputs.",
        )
        for name in silent[:3]
    ]
    if len(alive) > 1 and alive.max() > APART * alive.min():
        positive = np.where(sizes > 0, sizes, np.nan)
        falls = np.nanargmax(positive) < np.nanargmin(positive)
        word = "shrink" if falls == (way == "forward") else "grow"
        findings.append(
            Finding(
                f"The {what} {word} {alive.max() / alive.min():.0f}-fold over the "
                "layers.",
                names[int(np.argmin(np.where(sizes > 0, sizes, np.inf)))],
                "warning",
                code="signal_vanishes_or_explodes",
                category="initialisation",
                evidence=dict(
                    zip(names[:12], np.round(sizes[:12], 6).tolist(), strict=True)
                ),
                advice="Match the initializer to the activation (he_normal for "
                "ReLU), add BatchNormalization, or skip connections.",
            )
        )
    return findings
