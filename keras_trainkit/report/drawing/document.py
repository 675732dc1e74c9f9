"""One HTML file that needs nothing else to be read: what every page is made with."""

import datetime
import functools
import importlib.util
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainkit.arguments import received
from keras_trainkit.files import whole_file
from keras_trainkit.finding import Finding, gravest_first
from keras_trainkit.report.drawing.specification import Specification, number, sentence
from keras_trainkit.report.drawing.theme import DARK, LIGHT, LOG_TICKS, TEMPLATE

if TYPE_CHECKING:
    import jinja2


def compose(
    template: Path,
    *,
    title: str,
    tiles: Sequence[Any],
    findings: Sequence[Finding],
    figures: Sequence[Specification],
    facts: Mapping[str, Any] | Sequence[tuple[str, str]],
    kind: str = "",
    verdict: Any = None,
    live: bool = False,
    linked: Callable[[Finding], Sequence[Any]] = lambda finding: (),
    **own: Any,
) -> list[bytes]:
    """Fills a page; the two large parts never pass through the template.

    Args:
        template: File that extends `base.html` of this room.
        title: Heading, which the tab of the browser shows as well.
        tiles: The few numbers on top.
        findings: What stands right below them, shown the gravest first.
        figures: Figures in their order.
        facts: What else is known, shown on demand.
        kind: What kind of page it is, in a few words above the heading, unless the
            template has a block for it.
        verdict: Words, a note and a state that sum it up, if there are any.
        live: Whether the page reads itself anew every ten seconds.
        linked: Returns where a finding can be seen on the page: anchors and words.
        **own: What the template's own blocks show.

    Returns:
        The parts of the file, in order.
    """
    data, library = secrets.token_hex(16), secrets.token_hex(16)
    page = _template(template).render(
        title=title,
        kind=kind,
        verdict=verdict,
        tiles=tiles,
        findings=gravest_first(findings),
        figures=figures,
        facts=_as_text(facts),
        live=live,
        linked=linked,
        written=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        data=data,
        library=library,
        style=_own_file("page.css"),
        script=_own_file("page.js"),
        **own,
    )
    before, rest = page.split(data)
    between, after = rest.split(library)
    return [
        before.encode(),
        embed(_data(figures)).encode(),
        between.encode(),
        plotly_script(),
        after.encode(),
    ]


def check_findings(findings: Sequence[Finding]) -> None:
    """Raises a `ValueError` unless all of them are findings."""
    for finding in findings:
        if not isinstance(finding, Finding):
            raise ValueError(
                "`findings` must be a sequence of Finding. "
                + received("findings", findings)
            )


def check_title(title: str | None) -> None:
    """Raises a `ValueError` unless the title is a string or `None`."""
    if title is not None and not isinstance(title, str):
        raise ValueError(f"`title` must be a string. {received('title', title)}")


def embed(data: Any) -> str:
    """JSON that can stand inside a script element whatever names it holds."""
    text = json.dumps(data, separators=(",", ":"), default=str)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@functools.cache
def plotly_script() -> bytes:
    """Plotly's script, found without importing plotly, which takes a while."""
    package = importlib.util.find_spec("plotly")
    if package is None or package.origin is None:
        raise _missing("plotly")
    script = Path(package.origin).parent / "package_data" / "plotly.min.js"
    return script.read_bytes()


def replace(path: str, parts: list[bytes]) -> None:
    """Writes a file as a whole, so that a reader never meets half of it."""
    # A page can be drawn again: no need to wait for the disk.
    with whole_file(path, sync=False) as fresh, open(fresh, "wb") as file:
        file.writelines(parts)


def _data(figures: Sequence[Specification]) -> dict[str, Any]:
    return {
        "template": TEMPLATE,
        "logTicks": LOG_TICKS,
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


def _as_text(
    facts: Mapping[str, Any] | Sequence[tuple[str, str]],
) -> list[tuple[str, str]]:
    if not isinstance(facts, Mapping):
        return list(facts)
    return [
        (
            str(name).replace("_", " "),
            value if isinstance(value, str) else json.dumps(value, default=str),
        )
        for name, value in facts.items()
    ]


@functools.cache
def _template(path: Path) -> "jinja2.Template":
    return _templates().from_string(path.read_text(encoding="utf-8"))


@functools.cache
def _templates() -> "jinja2.Environment":
    try:
        import jinja2
    except ImportError as error:
        raise _missing("Jinja2") from error
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_own_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["evidence"] = _evidence
    environment.filters["sentence"] = sentence
    return environment


@functools.cache
def _own_file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _missing(package: str) -> ImportError:
    return ImportError(
        f"The report needs {package}. Install it with "
        "`pip install keras_trainkit[report]`."
    )


def _evidence(value: Any) -> str:
    return (
        number(float(value)) if isinstance(value, float | np.floating) else str(value)
    )
