"""Is the gradient the derivative of the loss?"""

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.gradcheck.check import gradcheck
from keras_trainkit.preflight.subject import Subject

EXAMPLES = 8
LARGE = 1_000_000  # weights from which only joint directions are compared


def check_gradient(subject: Subject) -> Verdict:
    """Runs a short `gradcheck` on a few examples.

    Args:
        subject: The model and its data.
    """
    subject.need_loss()
    if not subject.model.trainable_variables:
        return not_judged("gradient", "the model has no trainable weights")
    weights = sum(v.numpy().size for v in subject.model.trainable_variables)
    large = weights > LARGE
    x, y, weight = subject.batch(2 if large else EXAMPLES)
    check = gradcheck(
        subject.model,
        x,
        y,
        weight,
        coordinates=1,
        directions=1,
        joint=large,
        examples=EXAMPLES,
        seed=subject.seed,
        verbose=subject.verbose,
    )
    why = (
        f"{len(check.entries)} comparisons, largest relative error "
        f"{check.max_relative_error:.1e}"
    )
    if not check.ok and not check.failures:
        return not_judged("gradient", f"{why}; nothing could be judged")
    findings = [
        Finding(
            f"The gradient of {name} is wrong: {words}.",
            name,
            "error",
            code="wrong_gradient",
            category="numerical",
            evidence={"max_relative_error": check.max_relative_error},
            advice="print(tk.gradcheck(model, x, y)) shows every comparison.",
        )
        for name, words in check.causes.items()
    ]
    return judged("gradient", why, findings)
