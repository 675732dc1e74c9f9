"""Writes a record as one HTML page that needs nothing else to be read."""

import os
from collections.abc import Sequence
from pathlib import Path

from keras_trainkit.arguments import check_flag
from keras_trainkit.finding import Finding
from keras_trainkit.record.readings import Readings
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.report.all_figures import all_figures
from keras_trainkit.report.drawing.document import (
    check_findings,
    check_title,
    compose,
    embed,
    replace,
)
from keras_trainkit.report.figures.mosaics import mosaics
from keras_trainkit.report.layer_table import tabulate
from keras_trainkit.report.summary import summarise


def write(
    record: TrainingRecord | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    findings: Sequence[Finding] = (),
    live: bool = False,
    title: str | None = None,
) -> str:
    """Writes a record as one HTML page with interactive figures.

    The page opens from the file system without a server or a network: scripts,
    figures and pictures are inside, and the browser is told to fetch nothing. The
    file is replaced as a whole, so that a reader never meets half of it.

    Args:
        record: The record, its file, or the run directory that holds it.
        path: The HTML file to write; missing directories are made.
        findings: What a diagnosis has to say, shown on top, the gravest first.
        live: Whether training goes on: the page then reads itself anew every ten
            seconds, keeping place, zoom and choices, until a page without it is
            written.
        title: Heading; the model's name if `None`.

    Returns:
        The path written.

    Raises:
        ValueError: If the record cannot be read or an argument is not of its kind.

    Example:
        ```python
        tk.report.write("runs/digits", "digits.html")
        ```
    """
    check_flag("live", live)
    check_findings(findings)
    check_title(title)
    if not isinstance(record, TrainingRecord):
        record = TrainingRecord.open(record)
    path = os.fspath(path)
    replace(path, _content(Readings(record), findings, live, title))
    return path


def _content(
    readings: Readings, findings: Sequence[Finding], live: bool, title: str | None
) -> list[bytes]:
    metadata = readings.record.metadata
    drawings = {one.words: one.drawn(readings) for one in all_figures()}
    pictures = mosaics(readings)
    missing = [words for words, drawing in drawings.items() if not drawing]
    return compose(
        Path(__file__).with_name("page.html"),
        title=title or str(metadata.get("model_name") or "") or "Training run",
        tiles=summarise(readings, live),
        findings=findings,
        figures=[drawing for drawing in drawings.values() if drawing],
        facts={
            name: value
            for name, value in metadata.items()
            if name not in ("model_summary", "layers", "status")  # shown elsewhere
        },
        live=live,
        mosaics=pictures,
        mosaic_data=embed([mosaic._asdict() for mosaic in pictures]),
        missing=missing if pictures else [*missing, "filters"],
        table=tabulate(readings),
        model_summary=str(metadata.get("model_summary") or ""),
    )
