"""Reports: whatever the cluster, its logs or the repository say, nothing in them acts where it is shown."""

import io
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sre_bot.cli.report.contents import Cause, Change, Dependency, Moment, Piece, Proposal, Report
from sre_bot.cli.report.inert import inert, line
from sre_bot.cli.report.page import page_of
from sre_bot.cli.report.terminal import print_report
from sre_bot.cli.report.timeline_chart import timeline_chart

NOW = datetime(2026, 2, 3, 9, 41, tzinfo=UTC)


def report(said: str = "well said", **more: Any) -> Report:
    """A report in which every foreign text is the same one."""
    piece = Piece(id="object-1", source="log", subject=said, locator=said, excerpt=said, at=NOW)
    change = Change(
        sha="abc", subject=said, author=said, at=NOW, when="", score=0.9, reason=said, path=said, evidence=(piece,)
    )
    cause = Cause(
        relation="cause",
        kind="oom_killed",
        object=said,
        container=said,
        field=said,
        observed=said,
        expected=said,
        message=said,
        confidence=0.87,
        since=NOW - timedelta(hours=1),
        explains=(said,),
        unexplained=(said,),
        against=(said,),
        hurts=(said,),
        evidence=(piece,),
        changes=(change,),
        proposal=Proposal(title=said, explanation=said, risk=said, diff=f"+{said}\n", checks=(said,)),
    )
    moment = Moment(at=NOW - timedelta(hours=1), kind="event", subject=said, text=said, telling=True)
    given: dict[str, Any] = {
        "source": said,
        "namespaces": (said,),
        "taken_at": NOW,
        "repository": said,
        "verdict": "fix",
        "healthy": False,
        "summary": said,
        "onset": NOW - timedelta(hours=1),
        "causes": (cause,),
        "more": 0,
        "unseen": (said,),
        "timeline": (moment,),
        "topology": (Dependency(source=said, target="Service/shop/a", why=said),),
        "objects": 1,
        "events": 1,
        "logs": 1,
        "possible": (cause.model_copy(update={"relation": "possible", "confidence": 0.07}),),
    }
    return Report(**given | more)


def printed(one: Report, *, explain: bool = True) -> str:
    stream = io.StringIO()
    print_report(Console(file=stream, width=120, highlight=False), one, explain=explain)
    return stream.getvalue()


class Tags(HTMLParser):
    """Which elements and attributes a page has, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text())
def test_no_character_that_acts_is_left_in_an_inert_text(text: str) -> None:
    shown = inert(text)
    shown.encode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)
    assert "\n" not in line(text)


def test_a_text_without_anything_acting_stays_as_it_is() -> None:
    text = "GET /größe?x=1 → 200 ✓\n\tat line 3"
    assert inert(text) == text


def test_escapes_are_spelled_out_so_that_they_can_be_seen() -> None:
    assert inert("\x1b[31mred\u202e") == "\\x1b[31mred\\u202e"


def test_a_secret_is_masked() -> None:
    assert "hunter2" not in inert("password=hunter2secret")


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style><iframe src=//evil>",
    "'><svg onload=alert(1)>",
    "[bold red]markup[/] [link=http://evil]x[/link]",
]


@pytest.mark.parametrize("said", HOSTILE)
def test_foreign_text_on_a_page_is_text(said: str) -> None:
    plain, hostile = Tags(page_of(report())), Tags(page_of(report(said)))
    assert hostile.elements == plain.elements
    assert [name for name, _ in hostile.attributes] == [name for name, _ in plain.attributes]
    assert said in hostile.text


@pytest.mark.parametrize("said", HOSTILE)
def test_foreign_text_on_a_terminal_is_text(said: str) -> None:
    assert "".join(said.split()) in "".join(printed(report(said)).split())


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    page = Tags(page_of(report()))
    assert not {"script", "link", "iframe", "img", "object", "embed", "form", "a"} & set(page.elements)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href")]
    assert "default-src 'none'" in dict(page.attributes)["content"] or "default-src 'none'" in page_of(report())


def test_the_brief_report_names_what_it_leaves_out() -> None:
    (cause,) = report().causes
    many = tuple(piece.model_copy(update={"id": f"object-{n}"}) for n in range(9) for piece in cause.evidence)
    brief = printed(report(causes=(cause.model_copy(update={"evidence": many}),), more=3), explain=False)
    assert "5 more pieces: --explain" in brief
    assert "3 more, less likely: --top 4" in brief


def test_a_fault_beside_the_first_is_told_apart_from_a_rival() -> None:
    (cause,) = report().causes
    others = [cause.model_copy(update={"relation": relation}) for relation in ("independent", "alternative")]
    said = printed(report(causes=(cause, *others)))
    assert said.index("CAUSE") < said.index("ANOTHER FAULT") < said.index("OR INSTEAD")


def test_a_report_of_something_unexplained_says_so() -> None:
    said = printed(report(causes=(), verdict="needs_human", summary="nothing that was read explains it"))
    assert "nothing that was read explains it" in said
    assert "A person has to decide" in said


def test_on_the_timeline_later_is_further_right_and_everything_fits() -> None:
    lengths = [timedelta(seconds=1), timedelta(minutes=7), timedelta(hours=3), timedelta(days=400)]
    moments = [
        Moment(at=NOW - length, kind=kind, subject="s", text="t", telling=False)
        for length in lengths
        for kind in ("commit", "event")
    ]
    future = Moment(at=NOW + timedelta(days=1), kind="end", subject="s", text="t", telling=False)
    chart = timeline_chart(report(timeline=(*moments, future)))
    places = [float(x) for x in re.findall(r'class="commit" cx="([\d.]+)"', chart)]
    assert places == sorted(places)
    assert len(set(places)) == 4
    assert all(0 <= float(x) <= 1040 for x in re.findall(r'c?x\d?="([\d.]+)"', chart))


def test_without_any_moment_there_is_no_drawing() -> None:
    assert timeline_chart(report(timeline=())) == ""


def test_a_change_is_promised_only_where_one_is_shown() -> None:
    (cause,) = report().causes
    without = cause.model_copy(update={"proposal": Proposal(why_not="no strategy covers it")})
    assert "I would propose this change" in printed(report())
    assert "I would propose this change" not in printed(report(causes=(without,)))
    assert "I know no change that passes every check" in page_of(report(causes=(without,)))


def test_what_is_only_possible_stands_below_the_causes_with_its_small_confidence() -> None:
    for told in (printed(report(), explain=False), page_of(report())):
        assert told.index("87%") < told.index("Also possible") < told.index("7%", told.index("Also possible"))


def test_a_healthy_report_tells_only_on_demand_what_could_be_wrong_all_the_same() -> None:
    well = report(healthy=True, verdict="no_action", causes=())
    assert "wrong all the same" not in printed(well, explain=False)
    assert "wrong all the same" in printed(well, explain=True)
    assert "Also possible" not in page_of(well)
