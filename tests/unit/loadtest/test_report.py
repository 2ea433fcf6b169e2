import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from loadtest.report import Run, write_report
from loadtest.report.pictures import fleet_picture, load_picture

RUN = Run(
    name="threshold_15k",
    summary="1,000 users <closed loop>",
    measured={
        "users": [100.0, 200.0, 200.0],
        "requests_per_second": [90.0, 120.0, 240.0],
        "p50_ms": [3.0, 400.0, None],
        "p95_ms": [9.0, 800.0, 12.0],
        "in_service": [1.0, 1.0, 2.0],
        "cpu_percent": [70.0, 100.0, 60.0],
        "invocations_per_instance": [5400.0, 7200.0, 7200.0],
    },
    simulated={"p95_ms": [8.0, 810.0, 11.0], "in_service": [1.0, 1.0, 2.0]},
    totals={"requests": {"measured": 27_000, "simulated": 27_100.4}, "cost, USD": {"measured": 0.0187}},
    activities=[{"minute": 2.0, "change": "1 → 2", "status": "Successful", "cause": "monitor alarm & co"}],
    statuses={"200": 26_990, "0": 10},
    notes=["A minute takes 2 s."],
)


class Audit(HTMLParser):
    """Collects what a page would load, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        if tag in {"script", "link", "img", "iframe"}:
            self.loaded.append(tag)
        self.loaded += [
            value for name, value in attrs if name in {"src", "href", "xlink:href"} and value and value[0] != "#"
        ]

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    folder = tmp_path_factory.mktemp("report")
    write_report([RUN, replace(RUN, name="no_scaling", simulated={})], folder, title="The article's tests")
    audit = Audit()
    audit.feed((folder / "report.html").read_text(encoding="utf-8"))
    return audit


def test_page_loads_nothing_and_repeats_no_id(page: Audit) -> None:
    assert page.loaded == []
    assert len(page.ids) == len(set(page.ids)) > 50


def test_page_tells_totals_activities_and_statuses_of_every_run(page: Audit) -> None:
    for text in ("1,000 users <closed loop>", "27,000", "0.0187", "monitor alarm & co", "broken connection", "26,990"):
        assert text in page.text
    assert "p95, simulated" in page.text
    assert page.text.count("A minute takes 2 s.") == 2


def test_pictures_are_written_as_png_and_the_run_can_be_read_again(tmp_path: Path) -> None:
    write_report([RUN], tmp_path, title="One")
    for kind in ("load", "fleet"):
        assert (tmp_path / f"threshold_15k-{kind}.png").read_bytes().startswith(b"\x89PNG")
    again = Run.load(tmp_path / "threshold_15k.json")
    assert again.minutes == 3
    assert again.measured == RUN.measured
    write_report([again], tmp_path / "again", title="One")
    texts = [(folder / "report.html").read_text(encoding="utf-8") for folder in (tmp_path, tmp_path / "again")]
    assert texts[0] == texts[1]  # the same run makes the same page


def test_minute_that_stands_alone_is_a_dot_and_a_panel_without_values_says_so(tmp_path: Path) -> None:
    short = Run(name="short", summary="", measured={"users": [5.0], "in_service": [None], "cpu_percent": [None]})
    (users, *_), (cpu, *_) = (draw(short).axes for draw in (load_picture, fleet_picture))
    assert users.lines[0].get_markevery() == [0]
    assert [text.get_text() for text in cpu.texts] == ["no values"]
    assert not cpu.lines


def test_instances_are_drawn_from_their_minutes_beginning_to_the_last_ones_end() -> None:
    (line,) = [line for line in fleet_picture(RUN).axes[1].lines if line.get_label() == "in service, measured"]
    assert np.asarray(line.get_xdata()).tolist() == [0.0, 1.0, 2.0, 3.0]
    assert np.asarray(line.get_ydata()).tolist() == [1.0, 1.0, 2.0, 2.0]


def test_columns_that_do_not_fit_are_refused_together() -> None:
    with pytest.raises(ValueError, match=re.escape("latency is no column")) as refused:
        replace(RUN, measured={"latency": [1.0], "users": [1.0, 2.0]})
    assert "one length is wanted" in str(refused.value)
