"""Findings lead to what shows them, on the page as it was written."""

import html.parser

import pytest

import keras_trainkit as tk
from keras_trainkit.finding import Finding
from keras_trainkit.report.drawing.document import plotly_script
from tests.diagnosis.planted import PLANTED
from tests.report.records import full_record
from tests.report.test_page import page_of


class Page(html.parser.HTMLParser):
    """The anchors of a page, and for each finding where its links lead."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.words = {}, [], {}
        self._open = None
        self.feed(text.replace(plotly_script().decode(), ""))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            assert attributes["id"] not in self.anchors, "twice on the page"
            self.anchors[attributes["id"]] = tag
        if tag == "article":
            self.links.append([])
        if tag == "a":
            self._open = attributes["href"].removeprefix("#")
            self.links[-1].append(self._open)

    def handle_data(self, text):
        if self._open:
            self.words[self._open] = text

    def handle_endtag(self, tag):
        if tag == "a":
            self._open = None


@pytest.mark.parametrize(
    ("code", "links"),
    [
        ("dead_units", ["figure-silent-units", "figure-other-measures", "layer-1"]),
        ("nonfinite", ["figure-loss", "layer-1"]),
        ("far_too_long_updates", ["figure-update-ratios", "layer-0"]),
        ("vanishing_gradient", ["figure-norms", "figure-other-measures", "layer-0"]),
        ("overfitting", ["figure-metric-loss"]),
        ("rate_decayed", ["figure-learning-rate", "figure-loss"]),
        ("unscaled_inputs", ["figure-other-measures"]),
    ],
)
def test_each_finding_leads_to_its_figures_and_its_layer(code, links, tmp_path):
    record = PLANTED[code]()
    found = tk.diagnose(record)
    page = Page(page_of(record, tmp_path, findings=found))
    assert found[0].code == code
    assert len(page.links) == len(found)
    assert page.links[0] == links
    for link in links:
        of_layer = link.startswith("layer-")
        assert page.anchors[link] == ("tr" if of_layer else "section")
    if found[0].where in record.metadata["layers"]:
        assert page.words[links[-1]] == f"Layer {found[0].where}"


def test_findings_lead_nowhere_that_is_not_on_the_page(tmp_path):
    record = full_record(layers=2)
    odd = Finding(
        "Odd.",
        where="no such layer",
        measures=("filter_smoothness", "never_recorded", "loss"),
        code="odd",
        category="data",
    )
    page = Page(page_of(record, tmp_path, findings=[odd]))
    assert page.links
    assert all(link in page.anchors for link in page.links[0])


def test_findings_without_measures_have_no_links(tmp_path):
    bare = Finding("Bare.", code="bare", category="data")
    page = Page(page_of(full_record(layers=2), tmp_path, findings=[bare]))
    assert page.links == [[]]
