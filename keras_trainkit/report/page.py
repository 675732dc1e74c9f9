"""Writes a record as one HTML page that needs nothing else to be read."""

import datetime
import functools
import importlib.util
import json
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainkit.arguments import check_flag, received
from keras_trainkit.finding import SEVERITIES, Finding
from keras_trainkit.record import TrainingRecord
from keras_trainkit.report.figures import (
    histograms,
    loss,
    norms,
    rate,
    ratios,
    spread,
    units,
    validation,
)
from keras_trainkit.report.figures.mosaics import mosaics
from keras_trainkit.report.figures.specification import Specification, number
from keras_trainkit.report.layer_table import tabulate
from keras_trainkit.report.readings import Readings
from keras_trainkit.report.summary import summarise
from keras_trainkit.report.theme import DARK, LIGHT, TEMPLATE

if TYPE_CHECKING:
    import jinja2

_FIGURES: dict[str, Callable[[Readings], Specification | None]] = {
    "the loss of each batch": loss.draw,
    "the loss, training against validation": functools.partial(
        validation.draw, metric="loss"
    ),
    "other metrics": validation.draw_others,
    "update ratios": ratios.draw,
    "activations and gradients of layers": spread.draw,
    "dead, silent and saturated units": units.draw,
    "the learning rate": rate.draw,
    "norms of gradients and weights": norms.draw,
    "histograms": histograms.draw,
}


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
    for finding in findings:
        if not isinstance(finding, Finding):
            raise ValueError(
                "`findings` must be a sequence of Finding. "
                + received("findings", findings)
            )
    if title is not None and not isinstance(title, str):
        raise ValueError(f"`title` must be a string. {received('title', title)}")
    if not isinstance(record, TrainingRecord):
        record = TrainingRecord.open(record)
    path = os.fspath(path)
    _replace(path, _content(Readings(record), findings, live, title))
    return path


def _content(
    readings: Readings, findings: Sequence[Finding], live: bool, title: str | None
) -> list[bytes]:
    """The parts of the page; the two large ones never pass through the template."""
    metadata = readings.record.metadata
    drawings = {words: draw(readings) for words, draw in _FIGURES.items()}
    figures = [drawing for drawing in drawings.values() if drawing]
    pictures = mosaics(readings)
    missing = [words for words, drawing in drawings.items() if not drawing]
    data, library = secrets.token_hex(16), secrets.token_hex(16)
    page = _template().render(
        title=title or str(metadata.get("model_name") or "") or "Training run",
        live=live,
        written=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        tiles=summarise(readings, live),
        findings=sorted(findings, key=lambda found: -SEVERITIES.index(found.severity)),
        figures=figures,
        mosaics=pictures,
        missing=missing if pictures else [*missing, "filters"],
        table=tabulate(readings),
        facts=_facts(metadata),
        model_summary=str(metadata.get("model_summary") or ""),
        data=data,
        mosaic_data=_embed([mosaic._asdict() for mosaic in pictures]),
        style=_own_file("page.css"),
        script=_own_file("page.js"),
        library=library,
    )
    before, rest = page.split(data)
    between, after = rest.split(library)
    return [
        before.encode(),
        _embed(_data(figures)).encode(),
        between.encode(),
        _plotly(),
        after.encode(),
    ]


def _data(figures: list[Specification]) -> dict[str, Any]:
    return {
        "template": TEMPLATE,
        "colors": {"light": LIGHT, "dark": DARK},
        "figures": [
            {
                "name": figure.name,
                "traces": figure.traces,
                "layout": figure.layout,
                "rest": figure.rest,
                "choice": figure.choice and vars(figure.choice),
                "logarithmic": figure.logarithmic,
            }
            for figure in figures
        ],
    }


def _facts(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    """Everything else that was written down about the run, as text."""
    shown_elsewhere = ("model_summary", "layers", "status")
    return [
        (
            str(name).replace("_", " "),
            value if isinstance(value, str) else json.dumps(value, default=str),
        )
        for name, value in metadata.items()
        if name not in shown_elsewhere
    ]


def _embed(data: Any) -> str:
    """JSON that can stand inside a script element whatever names it holds."""
    text = json.dumps(data, separators=(",", ":"), default=str)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@functools.cache
def _template() -> "jinja2.Template":
    try:
        import jinja2
    except ImportError as error:
        raise _missing("Jinja2") from error
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["evidence"] = _evidence
    return environment.from_string(_own_file("page.html"))


@functools.cache
def _own_file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


@functools.cache
def _plotly() -> bytes:
    """Plotly's script, found without importing plotly, which takes a while."""
    package = importlib.util.find_spec("plotly")
    if package is None or package.origin is None:
        raise _missing("plotly")
    script = Path(package.origin).parent / "package_data" / "plotly.min.js"
    return script.read_bytes()


def _missing(package: str) -> ImportError:
    return ImportError(
        f"The report needs {package}. Install it with "
        "`pip install keras_trainkit[report]`."
    )


def _evidence(value: Any) -> str:
    return (
        number(float(value)) if isinstance(value, float | np.floating) else str(value)
    )


def _replace(path: str, parts: list[bytes]) -> None:
    directory = os.path.dirname(path)
    if directory:
        os.makedirs(directory, exist_ok=True)
    fresh = os.path.join(directory, f".{os.path.basename(path)}.{os.getpid()}.part")
    try:
        with open(fresh, "wb") as file:
            file.writelines(parts)
        os.replace(fresh, path)
    except BaseException:
        if os.path.exists(fresh):
            os.remove(fresh)
        raise
