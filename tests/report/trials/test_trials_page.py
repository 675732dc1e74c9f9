import os
import re

import pytest

from keras_trainkit.finding import Finding
from keras_trainkit.report.drawing.document import plotly_script
from keras_trainkit.report.trials.page import write_search
from keras_trainkit.report.trials.results import SearchResults, Trial
from tests.report.records import HOSTILE, hostile_finding
from tests.report.test_page_in_browser import CHROMIUM, marker, open_in_browser
from tests.report.trials.searches import AXES, hostile_search, odd_search, search

SEARCHES = {
    "three stages": (search, 7),
    "one trial": (lambda: search(1, 1, 0), 7),
    "every trial failed": (lambda: search(5, 1, 100), 5),
    "accuracy": (lambda: search(40, 1, maximised=True), 7),
    "one hyperparameter": (lambda: search(20, 2, axes=AXES[:1]), 4),
    "odd": (odd_search, 6),
    "no trial": (lambda: SearchResults("val_loss", False, AXES, []), 0),
    "hostile": (hostile_search, 10),
}
QUICK_IN_BROWSER = ("three stages", "hostile")
in_browser = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ,
    reason="no Chromium is installed, and this is not the continuous integration",
)


def page_of(results, tmp_path, **arguments):
    path = write_search(results, tmp_path / "new" / "search.html", **arguments)
    with open(path, encoding="utf-8") as file:
        return file.read().replace(plotly_script().decode(), "")


@pytest.mark.parametrize("name", SEARCHES)
def test_search_page_is_whole_and_fetches_nothing(name, tmp_path):
    page = page_of(SEARCHES[name][0](), tmp_path)
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    assert "Content-Security-Policy\" content=\"default-src 'none'" in page
    assert not re.findall(r"<[a-z][^>]*?\s(?:src|href|action|data)=\"", page)
    for forbidden in ("url(", "@import", "<link", "<iframe", "fetch("):
        assert forbidden not in page


@in_browser
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK_IN_BROWSER else pytest.mark.slow)
        for name in SEARCHES
    ],
)
def test_browser_draws_every_figure_of_a_search(name, tmp_path):
    make, figures = SEARCHES[name]
    finding = hostile_finding("search")
    page = write_search(make(), tmp_path / "search.html", findings=[finding])
    drawn, said = open_in_browser(page, tmp_path / "profile")
    assert said == []
    assert marker(drawn, "errors") == 0
    assert marker(drawn, "drawn") == figures


@pytest.mark.slow
@in_browser
def test_browser_draws_five_hundred_trials(tmp_path):
    page = write_search(search(500), tmp_path / "search.html")
    drawn, said = open_in_browser(page, tmp_path / "profile")
    assert said == []
    assert marker(drawn, "drawn") == 7
    assert os.path.getsize(page) < 8e6


def test_search_page_escapes_every_name(tmp_path):
    finding = hostile_finding("search")
    page = page_of(hostile_search(), tmp_path, findings=[finding], title=HOSTILE)
    assert HOSTILE not in page
    assert "<img src=x" not in page
    assert page.count("</script>") == 3


def test_search_page_lists_failed_trials_with_their_reason(tmp_path):
    page = page_of(search(40, 1), tmp_path)
    failed = search(40, 1).failed()
    assert failed
    for trial in failed:
        assert (
            f'<span class="badge">{trial.name}</span> ValueError: loss is nan' in page
        )
    assert "The whole message" in page


def test_search_page_ranks_by_the_direction_asked_for(tmp_path):
    for maximised in (False, True):
        results = search(30, 1, maximised=maximised)
        best = (max if maximised else min)(
            (trial for trial in results.trials if trial.score is not None),
            key=lambda trial: trial.score,
        )
        page = page_of(results, tmp_path)
        assert f'title="{best.name}"' in page.split("<tbody>")[1].split("</tr>")[0]


def test_search_page_shows_warnings_on_top(tmp_path):
    warning = Finding(
        "Too narrow.",
        where="learning_rate",
        advice="Widen it.",
        code="range_too_narrow",
        category="search",
    )
    page = page_of(search(), tmp_path, findings=[warning])
    assert page.index("Too narrow.") < page.index("All hyperparameters at once")
    assert "Widen it." in page


def test_search_page_names_hyperparameters_it_does_not_draw(tmp_path):
    from keras_trainkit.report.trials.results import Axis

    axes = [Axis(f"h{index}", 0.0, 1.0) for index in range(30)]
    trials = [Trial("0", {axis.name: 0.5 for axis in axes}, 1.0)]
    page = page_of(SearchResults("val_loss", False, axes, trials), tmp_path)
    assert "Not drawn alone: h24, h25" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"findings": ["bad"]}, "`findings` must be a sequence of Finding"),
        ({"title": 3}, "`title` must be a string"),
    ],
)
def test_write_search_names_a_bad_argument(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_search(search(), tmp_path / "search.html", **arguments)
    assert os.listdir(tmp_path) == []
