"""The calls of `fit` that one record goes over, as its metadata keep them."""

from collections.abc import Mapping
from typing import Any

from keras_trainkit.record.series import Fit


def fits_of(metadata: Mapping[str, Any]) -> tuple[Fit, ...]:
    """Returns the calls of `fit` in order, one from step 0 if none was marked."""
    marked = metadata.get("fits")
    if not isinstance(marked, list) or not marked:
        return (Fit(0, 0, {}),)
    return tuple(Fit(int(one["step"]), int(one["epoch"]), one) for one in marked)


def mark_fit(
    metadata: dict[str, Any],
    last_epoch: int,
    initial_epoch: int,
    step: int,
    about: Mapping[str, Any],
) -> Fit:
    """Marks in the metadata that another `fit` begins, and returns it.

    Args:
        metadata: Those of the record.
        last_epoch: The last epoch with a reading, -1 if there is none.
        initial_epoch: The epoch that Keras calls its first, int >= 0. The record's
            epochs go on behind the last, unless Keras counts on by itself.
        step: Its first step, counted over the whole record.
        about: What else is known of it.
    """
    goes_on = last_epoch < 0 or (initial_epoch > 0 and initial_epoch >= last_epoch)
    epoch = initial_epoch if goes_on else last_epoch + 1
    fits = metadata.setdefault("fits", [])
    if not fits and step > 0:
        fits.append({"step": 0, "epoch": 0})  # recorded before fits were marked
    mark = {"step": step, "epoch": epoch, "initial_epoch": initial_epoch}
    fits.append({**mark, **about})
    return fits_of(metadata)[-1]
