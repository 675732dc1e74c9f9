"""Exports a record for TensorBoard, each time what is new."""

import math
import os
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_trainkit.arguments import received
from keras_trainkit.record.series import Series
from keras_trainkit.record.training_record import TrainingRecord

_PNG = b"\x89PNG\r\n\x1a\n"


class TensorBoardExport:
    """Writes a record into a TensorBoard log directory.

    Numbers become scalars tagged `measure/layer/variable` (without the parts they
    lack) at the step they were measured, histograms keep their bins, and pictures
    are shown at their epoch. Each `write` adds only what the record has gained since
    the one before. Needs TensorFlow to write, and TensorBoard only to look.

    Args:
        log_dir: Directory for the event file; made if missing.

    Raises:
        ValueError: If `log_dir` is not a path.

    Example:
        ```python
        export = tk.report.TensorBoardExport("runs/digits/tensorboard")
        export.write(monitor.record)
        export.close()
        ```
    """

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        if not isinstance(log_dir, str | os.PathLike) or not os.fspath(log_dir):
            raise ValueError(
                f"`log_dir` must be a path. {received('log_dir', log_dir)}"
            )
        self.log_dir = os.fspath(log_dir)
        self._file: Any = None
        self._counts: dict[Series, int] = {}
        self._images = 0

    def write(self, record: TrainingRecord) -> None:
        """Exports what `record` has gained since the last call.

        Args:
            record: The same record each time.
        """
        if self._file is None:
            self._file = _open(self.log_dir)
        fresh = [
            item for series in record.series if (item := self._new(record, series))
        ]
        now = time.time()
        binned = {name for name in record.measures if record.measure(name).bins}
        histograms = [item for item in fresh if item[0].measure in binned]
        scalars = [item for item in fresh if item[0].measure not in binned]
        for event in (*_scalar_events(scalars), *_histogram_events(histograms)):
            self._add(event, now)
        images = record.images()
        for image in images[self._images :]:
            if image.png.startswith(_PNG):
                self._add(_image_event(image.name, image.epoch, image.png), now)
        self._images = len(images)
        self._file.flush()

    def close(self) -> None:
        """Closes the event file; a later `write` opens another."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _new(
        self, record: TrainingRecord, series: Series
    ) -> tuple[Series, np.ndarray, np.ndarray] | None:
        """New steps and values of a series, `None` if there are none."""
        steps, _, values = record.values(*series)
        start = self._counts.get(series, 0)
        self._counts[series] = len(steps)
        return (series, steps[start:], values[start:]) if len(steps) > start else None

    def _add(self, event: Any, now: float) -> None:
        event.wall_time = now
        self._file.write(event.SerializeToString())


def _open(log_dir: str) -> Any:
    import tensorflow as tf

    os.makedirs(log_dir, exist_ok=True)
    name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
    file = tf.io.TFRecordWriter(os.path.join(log_dir, f"{name}.keras_trainkit.v2"))
    first = tf.compat.v1.Event(wall_time=time.time(), file_version="brain.Event:2")
    file.write(first.SerializeToString())
    return file


def _scalar_events(fresh: list[tuple[Series, np.ndarray, np.ndarray]]) -> Iterable[Any]:
    """One event a step, with all its numbers."""
    import tensorflow as tf

    events: dict[int, Any] = {}
    for series, steps, values in fresh:
        tag = "/".join(part for part in series if part)
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
            if step not in events:
                events[step] = tf.compat.v1.Event(step=step)
            events[step].summary.value.add(tag=tag, simple_value=value)
    return [events[step] for step in sorted(events)]


def _histogram_events(
    fresh: list[tuple[Series, np.ndarray, np.ndarray]],
) -> Iterable[Any]:
    """One event for each histogram of a layer at a step."""
    import tensorflow as tf

    counts: dict[tuple[int, str], dict[tuple[float, float], float]] = {}
    for series, steps, values in fresh:
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
            bins = counts.setdefault((step, f"{series.measure}/{series.layer}"), {})
            bins[series.edges] = value
    for (step, tag), bins in counts.items():
        edges = sorted(bins)
        limits = _finite([edges[0][0], *(right for _, right in edges)])
        event = tf.compat.v1.Event(step=step)
        histogram = event.summary.value.add(tag=tag).histo
        histogram.min, histogram.max = limits[0], limits[-1]
        histogram.num = sum(bins.values())
        histogram.bucket_limit.extend(limits)
        # The first limit closes an empty bucket: the left edge would be lost else.
        histogram.bucket.extend([0.0, *(bins[edge] for edge in edges)])
        yield event


def _finite(edges: list[float]) -> list[float]:
    """Puts an infinite outermost edge at ten times the next one."""
    finite = [edge for edge in edges if math.isfinite(edge)] or [0.0]
    low, high = min(finite), max(finite)
    reach = 10.0 * max(abs(low), abs(high), 0.1)
    return [max(-reach, min(edge, reach)) for edge in edges]


def _image_event(name: str, epoch: int, png: bytes) -> Any:
    import tensorflow as tf

    event = tf.compat.v1.Event(step=epoch)
    image = event.summary.value.add(tag=name).image
    image.width, image.height = struct.unpack(">II", png[16:24])
    image.colorspace = 3
    image.encoded_image_string = png
    return event
