"""Which callbacks may follow epochs whose steps others do."""

import keras
import pytest

from keras_trainkit import callbacks
from keras_trainkit.distributed.progress import Progress


@pytest.mark.parametrize(
    "make",
    [callbacks.TrainingMonitor, callbacks.LossMonitor, callbacks.TrainingGuard],
)
def test_monitors_of_fit_are_refused(make):
    with pytest.raises(ValueError, match=f"callbacks='{make.__name__}'"):
        Progress(keras.Sequential(), [make()], 1, 1, 0)
    Progress(keras.Sequential(), [keras.callbacks.EarlyStopping()], 1, 1, 0)
