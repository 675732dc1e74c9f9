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
from keras_trainkit.report.links import Places
from keras_trainkit.report.run_table import other_facts, run_rows
from keras_trainkit.report.summary import summarise
from keras_trainkit.report.verdict import decide


def write(
    record: TrainingRecord | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    findings: Sequence[Finding] | None = None,
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
        findings: What a diagnosis has to say (`tk.diagnose(record)`), shown on top,
            the gravest first; the verdict above it agrees with it. `None` if nobody
            has looked, which the page then says.
        live: Whether training goes on: the page then reads itself anew every ten
            seconds, keeping place, zoom and choices, until a page without it is
            written.
        title: Heading; the name of the run directory if `None`, or that of the model
            if the record is in memory only.

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
    check_findings(findings or ())
    check_title(title)
    record = TrainingRecord.of(record)
    path = os.fspath(path)
    replace(path, _content(Readings(record), findings, live, title))
    return path


def _content(
    readings: Readings,
    findings: Sequence[Finding] | None,
    live: bool,
    title: str | None,
) -> list[bytes]:
    record = readings.record
    model = str(record.metadata.get("model_name") or "")
    name = title or record.name or model or "Training run"
    of_model = model not in ("", name)
    drawings = {one: one.drawn(readings) for one in all_figures()}
    pictures = mosaics(readings)
    table = tabulate(readings)
    missing = [one.words for one, drawing in drawings.items() if not drawing]
    return compose(
        Path(__file__).with_name("page.html"),
        title=name,
        kind=f"Training report, model {model}" if of_model else "Training report",
        verdict=decide(readings, findings, live),
        tiles=summarise(readings, live, findings),
        findings=findings or (),
        figures=[drawing for drawing in drawings.values() if drawing],
        facts=other_facts(readings),
        live=live,
        linked=Places(drawings, table, bool(pictures)),
        mosaics=pictures,
        mosaic_data=embed([mosaic._asdict() for mosaic in pictures]),
        missing=missing if pictures else [*missing, "filters"],
        table=table,
        run=run_rows(readings, live),
        model_summary=str(record.metadata.get("model_summary") or ""),
    )
