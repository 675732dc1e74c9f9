import os

import pytest

from keras_trainkit.finding import Finding
from keras_trainkit.record import TrainingRecord
from keras_trainkit.report import write
from tests.report.records import (
    HOSTILE,
    empty_record,
    full_record,
    hostile_record,
    sick_record,
)

RECORDS = {
    "full": full_record,
    "empty": empty_record,
    "hostile": hostile_record,
    "sick": sick_record,
    "one row": lambda: full_record(layers=2, epochs=1, steps_per_epoch=1),
}


def page_of(record, tmp_path, **arguments):
    path = write(record, tmp_path / "report.html", **arguments)
    with open(path, encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("name", RECORDS)
def test_page_is_whole_for(name, tmp_path):
    page = page_of(RECORDS[name](), tmp_path)
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    assert os.listdir(tmp_path) == ["report.html"]


@pytest.mark.parametrize("name", RECORDS)
def test_page_names_no_address_to_fetch(name, tmp_path):
    page = page_of(RECORDS[name](), tmp_path).replace(HOSTILE, "")
    ours = page[: page.index("<script>/")] if "<script>/" in page else page
    for forbidden in ('src="http', 'href="', "url(", "@import", "<link", "<iframe"):
        assert forbidden not in ours
    assert "default-src 'none'" in page
