"""The look of a report: what its HTML and CSS say to a browser, on any width of window."""

import re
from html.parser import HTMLParser

import pytest

from trainer.report.content import Heading, Paragraph, Plot, Table
from trainer.report.rendering import markdown, page

LONG = "evil.example/" + "a" * 400
SVG = b'<?xml version="1.0"?><svg width="900pt" viewBox="0 0 900 300"></svg>'
BLOCKS = [
    Heading("A report", 1),
    Paragraph("What it is about."),
    *[Heading(f"Part {number}") for number in (1, 2)],
    Table(
        [
            ["model", "rows", "TPR at FPR 1%", "text"],
            ["first", "56,669", "0.897 (0.893 to 0.901)", LONG],
            ["second", "7", "too few benign rows", "short"],
        ]
    ),
    Heading("Part 2: more", 3),
    *[Heading(f"Part {number}") for number in (3, 4)],
    Plot("roc", "A curve"),
]


class _Elements(HTMLParser):
    """Each element with the names of those around it, its attributes and its text."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self._open = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "in": [one["tag"] for one in self._open], "text": "", **dict(attrs)}
        self.found.append(element)
        if tag not in {"meta", "link", "br"}:
            self._open.append(element)

    def handle_endtag(self, tag):
        while self._open and self._open.pop()["tag"] != tag:
            pass

    def handle_data(self, data):
        for element in self._open:
            element["text"] += data


@pytest.fixture(scope="module")
def html():
    return page("A report", BLOCKS, {"roc": SVG})


@pytest.fixture(scope="module")
def elements(html):
    return _Elements(html).found


def rules(html, selector):
    """What the style says of ``selector``."""
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    return "; ".join(
        body.strip()
        for names, body in re.findall(r"([^{}]+){([^}]*)}", style)
        if selector in [name.strip() for name in names.split(",")]
    )


def test_a_number_is_on_the_right_and_breaks_only_before_its_interval(html, elements):
    cells = [one for one in elements if one["tag"] == "td"]
    assert [one.get("class") for one in cells[:4]] == [None, "number", "number", "text"]
    spans = [one["text"] for one in elements if one["tag"] == "span"]
    assert spans == ["56,669", "0.897", "(0.893 to 0.901)", "7"]
    assert "text-align: right" in rules(html, ".number")
    assert "white-space: nowrap" in rules(html, "td span")
    heads = [one.get("class") for one in elements if one["tag"] == "th"]
    assert heads == [None, "number", "number", "text"]


def test_only_a_long_text_breaks_anywhere(html):
    assert "overflow-wrap: anywhere" in rules(html, ".text")
    assert "anywhere" not in rules(html, "td")
    assert "overflow-wrap: normal" in rules(html, "table")


def test_a_table_wider_than_the_window_scrolls_in_its_own_box(html, elements):
    tables = [one for one in elements if one["tag"] == "table"]
    boxes = [one for one in elements if one["tag"] == "div" and one.get("class") == "wide"]
    assert len(tables) == len(boxes) == 1
    assert tables[0]["in"][-1] == "div"
    assert "overflow-x: auto" in rules(html, ".wide")
    assert "max-width: 100%" in rules(html, "figure svg")
    assert any(one.get("name") == "viewport" for one in elements)


def test_the_contents_lead_to_each_part(elements):
    links = {one["text"]: one["href"] for one in elements if one["tag"] == "a"}
    assert list(links) == ["Part 1", "Part 2", "Part 3", "Part 4"]
    ids = {one.get("id"): one["text"] for one in elements if one["tag"] in {"h2", "h3"}}
    assert {text: ids[link.removeprefix("#")] for text, link in links.items()} == {
        text: text for text in links
    }


def test_a_short_page_has_no_contents():
    assert "<nav>" not in page("Short", [Heading("Short", 1), Heading("One part")], {})


def test_in_markdown_numbers_are_on_the_right_too():
    assert "|---|---:|---:|---|" in markdown(BLOCKS, {"roc": SVG}).splitlines()


def test_a_column_without_any_number_is_on_the_left():
    assert "|---|---:|" in markdown([Table([["kind", "rows"], ["", "7"], ["", "9"]])], {})


def test_in_markdown_headings_and_captions_are_plain_text():
    name = "a](http://evil.example/)<img src=x>\n# another heading"
    plots = {"roc": SVG}
    shown = markdown([Heading(name, 1), Plot("roc", name)], plots).splitlines()
    text = r"a\](http://evil.example/)\<img src=x\> # another heading"
    assert shown == [f"# {text}", "", f"![{text}](plots/roc.svg)"]
