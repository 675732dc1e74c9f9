"""Does regularisation raise the loss, and not drown the data?"""

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.preflight.backward import backward
from keras_trainkit.preflight.subject import Subject


def check_penalties(subject: Subject) -> Verdict:
    """Compares the loss with and without the weight penalties.

    Args:
        subject: The model and its data.
    """
    subject.need_loss()
    if all(v.regularizer is None for v in subject.model.trainable_variables):
        return not_judged("regularization", "no weight has a regularizer")
    data, penalty, total = (float(term) for term in backward(subject).terms)
    why = f"data {data:.4g}, penalties {penalty:.4g}, total {total:.4g}"
    findings = []
    if penalty > 0 and total - data < 0.5 * penalty:
        findings.append(
            Finding(
                f"The penalties do not raise the loss: {why}.",
                "",
                "error",
                code="penalties_ignored",
                category="regularisation",
                advice="Add sum(self.losses) in your compute_loss.",
            )
        )
    elif penalty > abs(data):
        findings.append(
            Finding(
                f"The penalties outweigh the data: {why}.",
                "",
                "warning",
                code="penalties_outweigh_data",
                category="regularisation",
                advice="Lower the regularizer's factor.",
            )
        )
    return judged("regularization", why, findings)
