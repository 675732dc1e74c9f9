"""The page about instruments of one's own, run as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.record import Measure, TrainingRecord
from keras_trainkit.recording import Instrument, column
from tests import models
from tests.tolerances import FLOAT32

PAGE = Path(__file__).parents[2] / "docs/pages/guide/instruments.md"


def compiled(**options):
    return models.compiled(models.small, **options)


def test_page_runs_and_its_numbers_reach_record_page_and_tensorboard(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    x, y = models.data()
    names = {"model": compiled(), "x": x, "y": y}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        block = block.replace('"runs/digits",', '"runs/digits", 1, tensorboard=True,')
        exec(compile(block, str(PAGE), "exec"), names)
    stored = TrainingRecord.open("runs/digits")
    values = stored.values("confidence", "output")[2]
    assert len(values) == 5 * 2
    assert (values > 1 / 3).all()
    assert (values <= 1).all()
    assert stored.measure("confidence").unit == "fraction"
    assert "onfidence" in Path("runs/digits/report.html").read_text()
    tags = {
        value.tag
        for file in Path("runs/digits/tensorboard").iterdir()
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
        for value in tf.compat.v1.Event.FromString(record).summary.value
    }
    assert "confidence/output" in tags
    assert len(names["sparsity"].record.values("small_weights")[2]) == 2


class Magnitude(Instrument):
    """Reads the largest input; on a channel of its own, and what it needs."""

    measures = (Measure("largest_input"),)

    def __init__(self, channel, needs=()):
        self.channel, self.needs = channel, needs

    def read(self, seen):
        if "updates" in self.needs:
            assert seen.updates
        if "layers" in self.needs:
            assert seen.outputs
        return [(column("largest_input"), tf.reduce_max(tf.abs(seen.data[0])))]


@pytest.mark.parametrize(
    ("needs", "together"),
    [
        ((), 1),
        (("updates", "layers"), 2),
        pytest.param((), 2, marks=pytest.mark.slow),
        pytest.param(("updates",), 1, marks=pytest.mark.slow),
        pytest.param(("updates",), 2, marks=pytest.mark.slow),
        pytest.param(("updates", "layers"), 1, marks=pytest.mark.slow),
    ],
)
def test_channel_of_its_own_has_its_own_rhythm(needs, together):
    x, y = models.data()
    model = compiled(steps_per_execution=together)
    own = callbacks.Monitor(Magnitude("mine", needs), every=3)
    other = callbacks.UpdateRatioMonitor(every=4)
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[own, other])
    steps, _, values = own.record.values("largest_input")
    assert steps.tolist() == [0, 3, 6, 9]
    expected = [np.abs(x[4 * step : 4 * step + 4]).max() for step in steps]
    np.testing.assert_allclose(values, expected, rtol=FLOAT32)
    assert other.record.values("update_ratio", "hidden", "kernel")[0].tolist() == [
        0,
        4,
        8,
    ]


def test_equal_instruments_are_read_once():
    monitors = [callbacks.UpdateRatioMonitor(), callbacks.UpdateRatioMonitor()]
    compiled().fit(*models.data(), batch_size=16, verbose=0, callbacks=monitors)
    assert len(monitors[0].record.values("update_ratio", "hidden", "kernel")[0]) == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: callbacks.Monitor("loss"), r"Received: instruments=\('loss',\)"),
        (
            lambda: callbacks.Monitor(Magnitude("steps", ("layers",))).request(),
            "Received: channel='steps'",
        ),
    ],
    ids=["no_instrument", "looks_in_every_step"],
)
def test_what_is_no_instrument_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_measure_under_a_taken_name_is_refused():
    class Taken(Instrument):
        measures = (Measure("update_ratio", unit="s"),)

    with pytest.raises(ValueError, match="measures='update_ratio'"):
        callbacks.Monitor(Taken())


class Misread(Instrument):
    """Reads an unknown layer, or returns several numbers."""

    measures = (Measure("misread", of="layer"),)
    channel = "layers"

    def __init__(self, layer):
        self.layer = layer

    def read(self, seen):
        return [(column("misread", self.layer), seen.output(self.layer))]


@pytest.mark.parametrize(
    ("layer", "message"),
    [("nope", "that is read: '.*layer='nope'"), ("output", "'misread' of shape")],
)
def test_a_wrong_reading_is_one_sentence(layer, message):
    x, y = models.data()
    with pytest.raises(ValueError, match=message):
        compiled().fit(x, y, verbose=0, callbacks=[callbacks.Monitor(Misread(layer))])
