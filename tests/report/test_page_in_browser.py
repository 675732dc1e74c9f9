"""Opens pages in a headless Chromium: every figure drawn, no complaint, no request."""

import html
import html.parser
import os
import re
import shutil
import subprocess

import pytest

from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.report import write
from tests.report.records import (
    HOSTILE_NAMES,
    empty_record,
    extreme_record,
    full_record,
    hostile_record,
    sick_record,
)

CHROMIUM = next(
    filter(
        None,
        map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome")),
    ),
    None,
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ,
    reason="no Chromium is installed, and this is not the continuous integration",
)


def one_row():
    record = TrainingRecord()
    record.add("loss", 0.5, step=0, epoch=0)
    record.add("update_ratio", 1e-3, step=0, epoch=0, layer="a", variable="kernel")
    return record


def open_in_browser(page, directory):
    """Returns the page as drawn, and what the browser had to say about it."""
    assert CHROMIUM, "install chromium, or unset CI"
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-quic",
            f"--user-data-dir={directory}",
            "--window-size=1280,1000",
            "--virtual-time-budget=8000",  # less than a live page waits
            "--enable-logging=stderr",
            "--dump-dom",
            f"file://{page}",
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, said


class Elements(html.parser.HTMLParser):
    """Every attribute of every element, as a browser would read them."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [(tag, name, value or "") for name, value in attributes]


def marker(drawn, name):
    found = re.search(rf'<body[^>]*\sdata-{name}="(\d+)"', drawn)
    return int(found[1]) if found else None


@pytest.mark.parametrize(
    ("make", "figures", "live"),
    [
        pytest.param(full_record, 11, False, marks=pytest.mark.slow),
        pytest.param(full_record, 11, True, marks=pytest.mark.slow),
        pytest.param(sick_record, 11, False, marks=pytest.mark.slow),
        (extreme_record, 11, False),
        pytest.param(empty_record, 0, False, marks=pytest.mark.slow),
        (one_row, 2, True),
        pytest.param(
            lambda: full_record(layers=100, epochs=3), 11, False, marks=pytest.mark.slow
        ),
    ],
    ids=["full", "live", "sick", "extreme", "empty", "one row", "100 layers"],
)
def test_browser_draws_every_figure_without_complaint(make, figures, live, tmp_path):
    page = write(make(), tmp_path / "report.html", live=live)
    drawn, said = open_in_browser(page, tmp_path / "profile")
    assert said == []
    assert marker(drawn, "errors") == 0
    assert marker(drawn, "drawn") == figures
    assert drawn.count('class="main-svg"') >= 2 * (figures - 1)


def test_browser_runs_nothing_that_a_name_says(tmp_path):
    page = write(hostile_record(), tmp_path / "report.html")
    drawn, said = open_in_browser(page, tmp_path / "profile")
    assert said == []
    assert marker(drawn, "errors") == 0
    assert marker(drawn, "drawn") == 11
    elements = Elements()
    elements.feed(drawn)
    assert not [one for one in elements.found if one[1].startswith("on")]
    addresses = [one for one in elements.found if one[1] in ("src", "href")]
    # Plotly's save button is a link without an address until it is used.
    assert all(value.startswith("data:image/png") for _, _, value in addresses)
    # In the legends the names stand as they are, shortened in the middle.
    legend = [
        html.unescape(re.sub("<[^>]*>", "", text))
        for text in re.findall(r'<text class="legendtext.*?</text>', drawn)
    ]
    shown = {name.rpartition("/")[0] for name in legend}
    assert {HOSTILE_NAMES[1], HOSTILE_NAMES[4]} <= shown


def test_browser_refuses_to_fetch_for_the_page(tmp_path):
    page = write(full_record(layers=1, epochs=1), tmp_path / "report.html")
    with open(page, encoding="utf-8") as file:
        text = file.read()
    # A picture that comes from outside proves that the guard is awake.
    broken = tmp_path / "broken.html"
    guest = '<img src="http://127.0.0.1:9/outside.png">'
    broken.write_text(text.replace("<main>", "<main>" + guest), encoding="utf-8")
    _, said = open_in_browser(broken, tmp_path / "profile")
    assert any("Content Security Policy" in line for line in said)
