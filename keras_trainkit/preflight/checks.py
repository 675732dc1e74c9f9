"""All checks before training, in their order: the one place that lists them."""

from collections.abc import Callable

from keras_trainkit.finding import Verdict
from keras_trainkit.preflight.class_balance import check_class_balance
from keras_trainkit.preflight.duplicates import check_duplicates
from keras_trainkit.preflight.features import check_features
from keras_trainkit.preflight.gradient import check_gradient
from keras_trainkit.preflight.initial_loss import check_initial_loss
from keras_trainkit.preflight.labels import check_labels
from keras_trainkit.preflight.machine import check_machine
from keras_trainkit.preflight.memorizing import check_memorizing
from keras_trainkit.preflight.pairing import check_pairing
from keras_trainkit.preflight.penalties import check_penalties
from keras_trainkit.preflight.reached import check_reached
from keras_trainkit.preflight.reported_loss import check_reported_loss
from keras_trainkit.preflight.row_order import check_row_order
from keras_trainkit.preflight.spread import check_spread
from keras_trainkit.preflight.subject import Subject
from keras_trainkit.preflight.validation import check_validation

__all__ = [
    "check_class_balance",
    "check_duplicates",
    "check_features",
    "check_gradient",
    "check_initial_loss",
    "check_labels",
    "check_machine",
    "check_memorizing",
    "check_pairing",
    "check_penalties",
    "check_reached",
    "check_reported_loss",
    "check_row_order",
    "check_spread",
    "check_validation",
]

CHECKS: dict[str, Callable[[Subject], Verdict]] = {
    "features": check_features,
    "labels": check_labels,
    "class balance": check_class_balance,
    "row order": check_row_order,
    "validation": check_validation,
    "duplicates": check_duplicates,
    "pairing": check_pairing,
    "initial loss": check_initial_loss,
    "reported loss": check_reported_loss,
    "regularization": check_penalties,
    "gradient reaches": check_reached,
    "signal spread": check_spread,
    "gradient": check_gradient,
    "memorizing": check_memorizing,
    "machine": check_machine,
}
