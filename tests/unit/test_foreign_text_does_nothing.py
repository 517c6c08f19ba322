"""What others wrote, named or logged is read on the ticket and on the pull request, and does nothing there."""

import re
from typing import Any

import pytest

from sre_bot.domain.cluster import ObjectRef
from sre_bot.domain.diagnosis import Diagnosis, Hypothesis, Suspect
from sre_bot.domain.finding import Evidence, FaultKind, Finding
from sre_bot.domain.fix import Fix, TestReport, Validation
from sre_bot.domain.review import Decision
from sre_bot.graph import messages
from sre_bot.graph.markup import NO_WIDTH, markdown, markdown_quote, plain, wiki, wiki_quote

WIKI = {
    "[~admin]": r"\[\~admin\]",
    "[click|http://evil/x]": r"\[click\|http://evil/x\]",
    "!http://evil/x.png!": r"\!http://evil/x.png!",
    "{color:red}now{color}": r"\{color:red\}now\{color\}",
    "*loud* _soft_ +new+ ^up^ ~down~": r"\*loud\* \_soft\_ \+new\+ \^up\^ \~down\~",
    "-gone- and --max-old-space": r"\-gone\- and \-\-max-old-space",
    "||head|| |cell|": r"\|\|head\|\| \|cell\|",
    "??who??": r"\?\?who\?\?",
    "h1. Big": f"{NO_WIDTH}h1. Big",
    "# one\n- two": "\\# one\n\\- two",
    r"\[~admin]": rf"\{NO_WIDTH}\[\~admin\]",
    r"a\\b": rf"a\{NO_WIDTH}\{NO_WIDTH}b",
}
"""Markup in a foreign text, and how it stands in a comment."""

READABLE = (
    "Service slots sends traffic to port 8080, and no container of slots-api listens there.",
    "OOM_KILLED at Deployment/shop/cart-api: 12:30-13:00, 3 * 4 - 2 > 1",
    "deploy/slots.yaml, line 12: GET http://inventory.shop:8080/v1/stock_levels",
)
"""What a tired person reads stays as it is."""

MARKDOWN = {
    "@acme/oncall look": f"@{NO_WIDTH}acme/oncall look",
    "Fixes #1, closes acme/shop#23 and GH-4": (f"Fixes #{NO_WIDTH}1, closes acme/shop#{NO_WIDTH}23 and GH-{NO_WIDTH}4"),
    "Fixes https://github.com/acme/shop/issues/1": f"Fixes https://github.com/acme/shop/issues/{NO_WIDTH}1",
    "![x](http://evil/x.png)": r"\!\[x\](http://evil/x.png)",
    "[click](http://evil)": r"\[click\](http://evil)",
    "<img src=x> &#64;team": rf"\<img src=x\> \&#{NO_WIDTH}64;team",
    "**loud** _soft_ ~~gone~~": r"\*\*loud\*\* \_soft\_ \~\~gone\~\~",
    "# Big\n1. one\n- two\n> three": "\\# Big\n1\\. one\n\\- two\n\\> three",
    "```\ncode": r"\`\`\`" + "\ncode",
    r"\*": r"\\\*",
    "the port is `8080`, says @dana": f"the port is `8080`, says @{NO_WIDTH}dana",
    "`@team` is code, ` @team is not": f"`@team` is code, \\` @{NO_WIDTH}team is not",
}
"""The same on a pull request."""


@pytest.mark.parametrize(("text", "shown"), WIKI.items())
def test_markup_in_foreign_text_is_not_markup_on_a_ticket(text: str, shown: str) -> None:
    assert wiki(text) == shown


@pytest.mark.parametrize(("text", "shown"), MARKDOWN.items())
def test_markup_in_foreign_text_is_not_markup_on_a_pull_request(text: str, shown: str) -> None:
    assert markdown(text) == shown


@pytest.mark.parametrize("text", READABLE)
def test_plain_sentences_stay_as_they_are(text: str) -> None:
    assert wiki(text) == text
    assert plain(text) == text
    assert markdown(text).replace("\\", "") == text


def test_a_quotation_cannot_be_left() -> None:
    line = "said {noformat}[~admin] `x` {NOFORMAT:a=b}"
    assert re.findall(r"\{noformat[^}]*\}", wiki_quote(line), re.IGNORECASE) == [
        "{noformat:nopanel=true}",
        "{noformat}",
    ]
    assert markdown_quote(line).count("`") == 2
    assert len(markdown_quote("long " * 200)) < 250
    assert "\n" not in wiki_quote("two\nlines")


def test_a_commit_message_neither_closes_nor_calls_nor_skips() -> None:
    text = plain("Fixes #1 [skip ci] @team, mail to dana@example.com about img@sha256:12")
    assert (
        text == f"Fixes #{NO_WIDTH}1 [{NO_WIDTH}skip ci] @{NO_WIDTH}team, mail to dana@example.com about img@sha256:12"
    )


EVIL = "[~admin] !http://evil/x.png! {code} @team Fixes #1 ![x](y) <b>\nh1. Big"


def evil(**changes: Any) -> Diagnosis:
    evidence = Evidence.seen("log", EVIL, EVIL, EVIL)
    finding = Finding(
        kind=FaultKind.INVALID_CONFIG,
        object=ObjectRef.parse(f"ConfigMap/web/{EVIL}"),
        field=EVIL,
        observed=EVIL,
        expected=EVIL,
        message=EVIL,
        directness="logged",
        evidence=(evidence,),
    )
    suspect = Suspect(sha="1" * 40, subject=EVIL, score=1.0, reason=EVIL)
    one = Hypothesis(finding=finding, confidence=0.9, suspects=(suspect,))
    return Diagnosis(verdict="fix", hypotheses=(one, one), summary=EVIL)


FIX = Fix(title=EVIL, strategy="model", edits=(), explanation=EVIL, risk=EVIL)
DECISION = Decision(state="rejected", head="1" * 40, reviewer=EVIL, reason=EVIL)

TICKET = {
    "rejected": messages.rejected(EVIL),
    "analysis": messages.analysis(evil(), EVIL),
    "opened": messages.pull_request_opened(7, "https://github.com/acme/shop/pull/7", FIX, evil()),
    "fix rejected": messages.fix_rejected(DECISION),
    "resolved": messages.resolved(FIX, 7, "1" * 40),
    "failed": messages.deployment_failed(EVIL, EVIL),
    "escalated": messages.escalated("analysing", EVIL, 2, EVIL),
}
PULL_REQUEST = {
    "body": messages.pull_request_body(
        "OPS-1", evil(), FIX, Validation(checks=(EVIL,)), TestReport(ran=False), f"tests/{EVIL}.py"
    ),
    "answer": messages.change_answered(FIX, EVIL),
    "revert": messages.revert_body(EVIL, 7),
}
COMMIT = {
    "commit": messages.commit_message("OPS-1", FIX),
    "revert": messages.revert_message("OPS-1", EVIL, EVIL),
    "title": messages.pull_request_title("OPS-1", FIX),
    "revert title": messages.revert_title(FIX),
}


@pytest.mark.parametrize("name", TICKET)
def test_nothing_foreign_is_alive_in_a_comment_on_the_ticket(name: str) -> None:
    outside = re.sub(r"\{noformat:nopanel=true\}.*?\{noformat\}", "", TICKET[name])
    assert "~admin" in outside
    assert re.search(r"(?<!\\)[\[{]|(?<!\\)!(?=\S)|^h1\.", outside, re.MULTILINE) is None


@pytest.mark.parametrize("name", PULL_REQUEST)
def test_nothing_foreign_is_alive_on_the_pull_request(name: str) -> None:
    outside = re.sub(r"(?<![\\`])`[^`\n]+`", "", PULL_REQUEST[name])
    assert "team" in outside
    assert re.search(r"(?<!\\)[\[<]|@team|#1|^h1\.$", outside, re.MULTILINE) is None


@pytest.mark.parametrize("name", COMMIT)
def test_nothing_foreign_acts_from_a_commit_or_a_title(name: str) -> None:
    assert "team" in COMMIT[name]
    assert re.search(r"@team|#1", COMMIT[name]) is None


def test_a_title_is_one_line() -> None:
    assert "\n" not in messages.pull_request_title("OPS-1", FIX) + messages.revert_title(FIX)
    assert messages.commit_message("OPS-1", FIX).splitlines()[1] == ""


def test_a_reviewer_is_called_by_name_and_nobody_else_is() -> None:
    fix = FIX.model_copy(update={"explanation": "the port is `8080`, not what @evil says"})
    assert messages.change_answered(fix, "dana-reyes").startswith(
        "@dana-reyes I have changed it as you asked: the port"
    )
    assert "@evil" not in messages.change_answered(fix, "dana-reyes")
