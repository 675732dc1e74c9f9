"""What the gap between training and validation says."""

from keras_trainkit.finding import Finding
from keras_trainkit.record.training_record import TrainingRecord

# Epochs that a trend needs, and gaps, as a share of the training loss, that are
# no cause for a word.
_FEWEST_EPOCHS = 4
_NOTABLE_GAP = 0.5


def describe_overfitting(record: TrainingRecord) -> Finding | None:
    """Says so if validation gets worse while training gets better.

    Args:
        record: A record with `overfitting_gap` of the loss (see
            `OverfittingMonitor`).

    Returns:
        A finding, or `None` while there is nothing to say.
    """
    _, _, gaps = record.values("overfitting_gap_smoothed", metric="loss")
    _, _, trends = record.values("overfitting_gap_trend", metric="loss")
    _, _, training = record.values("train_loss_eval")
    _, epochs, validation = record.values("val_loss")
    if min(map(len, (gaps, trends, training, validation))) < _FEWEST_EPOCHS:
        return None
    best = int(validation.argmin())
    rise = float(validation[-3:].min() - validation[best])
    share = float(gaps[-1] / max(abs(training[-1]), 1e-12))
    if trends[-1] <= 0 or share < _NOTABLE_GAP or rise <= 0.1 * abs(validation[best]):
        return None
    return Finding(
        "Overfitting: the validation loss has risen since its best epoch while the "
        "training loss went on falling.",
        where="val_loss",
        code="overfitting",
        category="overfitting",
        confidence=0.8,
        evidence={
            "gap": round(float(gaps[-1]), 6),
            "trend_per_epoch": round(float(trends[-1]), 6),
            "best_epoch": int(epochs[best]),
            "val_loss_since_best": round(rise, 6),
        },
        advice="Stop at the best epoch (`EarlyStopping(restore_best_weights=True)`), "
        "add data, dropout or weight decay.",
    )
