"""The Jira client against three Jiras: Data Center and Cloud in the lab, and an independent double."""

from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime, timedelta

import pytest

from sre_bot.domain.errors import JiraError, Reason
from sre_bot.lab.client import LabAddress, LabControl
from sre_bot.tools.jira import Jira
from tests.jira_sites import Place, Site, running_jira, site_of
from tests.running_labs import new_project, shared_lab
from tests.small_incidents import wrong_port

ALL = ("data_center", "cloud", "independent")
OURS = ("data_center", "cloud")


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Place]:
    with running_jira(request.param, tmp_path_factory.mktemp("jira")) as running:
        yield running


@pytest.fixture
async def there(place: Place) -> AsyncGenerator[Site]:
    async with site_of(place) as site:
        yield site


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[LabAddress]:
    with shared_lab(wrong_port(), tmp_path_factory.mktemp("lab")) as running:
        yield running


everywhere = pytest.mark.parametrize("place", ALL, indirect=True)
in_the_lab = pytest.mark.parametrize("place", OURS, indirect=True)


@everywhere
async def test_we_know_who_we_are(there: Site) -> None:
    assert await there.jira.account() == next(iter(there.me.values()))


@everywhere
async def test_a_ticket_is_read_with_all_its_fields(there: Site) -> None:
    labels, priority = ["checkout", "eu"], {"name": "High"}
    key = await there.file("It is slow", description="Very\nslow.", labels=labels, priority=priority, assignee=there.me)
    ticket = await there.jira.ticket(key)
    assert (ticket.key, ticket.project, ticket.summary) == (key, there.project, "It is slow")
    assert (ticket.description, ticket.labels, ticket.priority) == ("Very\nslow.", ("checkout", "eu"), "High")
    assert ticket.assignee == await there.jira.account()
    assert ticket.created.utcoffset() == timedelta(0)
    assert not ticket.resolved
    assert ticket.url.endswith(f"/browse/{key}")


@everywhere
async def test_a_ticket_may_have_no_description_and_no_assignee(there: Site) -> None:
    ticket = await there.jira.ticket(await there.file("Empty"))
    assert (ticket.description, ticket.assignee) == ("", "")


@everywhere
async def test_a_ticket_that_does_not_exist_is_not_found(there: Site) -> None:
    with pytest.raises(JiraError) as error:
        await there.jira.ticket(f"{there.project}-99999")
    assert (error.value.reason, error.value.status) == (Reason.NOT_FOUND, 404)


@everywhere
async def test_a_comment_is_found_again_by_its_marker_only(there: Site) -> None:
    key = await there.file("Something")
    identifier = await there.jira.add_comment(key, "We *took* it.\n\nMore follows.", "accepted 1/2")
    assert await there.jira.find_comment(key, "accepted 1/2") == identifier
    assert await there.jira.find_comment(key, "accepted 1/") is None
    assert await there.jira.find_comment(key, "accepted 1/22") is None
    comments = await there.jira.comments(key)
    assert [comment.id for comment in comments] == [identifier]
    assert comments[0].author == await there.jira.account()
    assert comments[0].body.startswith("We *took* it.\n\nMore follows.")


@everywhere
async def test_the_marker_does_not_show_in_the_text(there: Site) -> None:
    key = await there.file("Something")
    await there.jira.add_comment(key, "Hello.", "accepted-1")
    shown = (await there.jira.comments(key))[0].body
    assert "[·|" in shown
    assert shown.index("[·|") < shown.index("accepted-1") < shown.index("]")


@everywhere
async def test_comments_are_read_beyond_one_page(there: Site) -> None:
    key = await there.file("Talkative")
    for number in range(103):
        await there.http.post(f"/rest/api/2/issue/{key}/comment", json={"body": f"number {number}"})
    comments = await there.jira.comments(key)
    assert {comment.body for comment in comments} == {f"number {number}" for number in range(103)}
    assert [comment.created for comment in comments] == sorted(comment.created for comment in comments)


@everywhere
async def test_a_ticket_moves_by_target_status_in_any_case_and_only_once(there: Site) -> None:
    key = await there.file("Move me")
    assert await there.jira.move(key, "IN progress")
    assert (await there.jira.ticket(key)).status == "In Progress"
    assert not await there.jira.move(key, "In Progress")
    assert await there.jira.move(key, "Done")
    done = await there.jira.ticket(key)
    assert (done.status, done.resolved) == ("Done", True)


@in_the_lab
async def test_a_ticket_moves_by_the_name_of_a_transition(there: Site) -> None:
    key = await there.file("Move me")
    assert await there.jira.move(key, "start progress")
    assert (await there.jira.ticket(key)).status == "In Progress"


@in_the_lab
async def test_transitions_are_looked_up_for_each_ticket(there: Site) -> None:
    keys = [await there.file(f"number {number}") for number in range(3)]
    ids = {key: (await there.raw(f"issue/{key}/transitions"))["transitions"][0]["id"] for key in keys}
    assert len(set(ids.values())) == 3
    for key in keys:
        assert await there.jira.move(key, "In Progress")


@in_the_lab
async def test_a_move_that_is_not_open_names_those_that_are(there: Site) -> None:
    key = await there.file("Move me")
    with pytest.raises(JiraError, match=r"open transitions: 'Start Progress' to 'In Progress'") as error:
        await there.jira.move(key, "Done")
    assert error.value.reason is Reason.CONFLICT


@everywhere
async def test_a_ticket_is_assigned_and_given_back(there: Site) -> None:
    key = await there.file("Whose is it?")
    account = await there.jira.account()
    await there.jira.assign(key, account)
    assert (await there.jira.ticket(key)).assignee == account
    await there.jira.assign(key, "")
    assert (await there.jira.ticket(key)).assignee == ""


@in_the_lab
async def test_assigning_to_nobody_known_is_refused(there: Site) -> None:
    with pytest.raises(JiraError, match="does not exist") as error:
        await there.jira.assign(await there.file("Whose?"), "stranger")
    assert error.value.reason is Reason.REFUSED


@everywhere
async def test_the_same_link_is_replaced_not_repeated(there: Site) -> None:
    key = await there.file("Link me")
    await there.jira.link(key, "pr-1", "https://git.example/1", "Pull request 1")
    await there.jira.link(key, "pr-1", "https://git.example/1#new", "Pull request 1, again")
    await there.jira.link(key, "pr-2", "https://git.example/2", "Pull request 2")
    links = {link["globalId"]: link["object"] for link in await there.raw(f"issue/{key}/remotelink")}
    assert len(await there.raw(f"issue/{key}/remotelink")) == 2
    assert (links["pr-1"]["url"], links["pr-1"]["title"]) == ("https://git.example/1#new", "Pull request 1, again")


@in_the_lab
async def test_only_our_open_tickets_are_assigned_to_us_oldest_first(there: Site) -> None:
    keys = [await there.file(f"number {number}", assignee=there.me) for number in range(3)]
    await there.file("somebody else's")
    await there.jira.move(keys[1], "In Progress")
    await there.jira.move(keys[2], "Won't Do")
    found = await there.jira.assigned((there.project,))
    assert [ticket.key for ticket in found] == keys[:2]
    assert await there.jira.assigned(("NONE", "OTHER")) == ()
    assert {*keys[:2], "OPS-7"} <= {ticket.key for ticket in await there.jira.assigned(())}


@in_the_lab
async def test_all_pages_of_a_search_are_read(there: Site) -> None:
    for number in range(101):
        await there.file(f"number {number}", assignee=there.me)
    assert len(await there.jira.assigned((there.project,))) == 101


@pytest.mark.parametrize("place", ["independent"], indirect=True)
async def test_the_search_works_on_the_independent_double(there: Site) -> None:
    """It takes ``currentUser()`` for a name like any other, so that is whom the tickets are assigned to."""
    keys = [await there.file(f"number {number}", assignee={"name": "currentUser()"}) for number in range(2)]
    await there.jira.move(keys[0], "Done")
    assert [ticket.key for ticket in await there.jira.assigned((there.project,))] == [keys[1]]


@in_the_lab
async def test_a_project_name_cannot_break_out_of_the_query(there: Site) -> None:
    await there.file("mine", assignee=there.me)
    assert await there.jira.assigned((f'X") OR project in ("{there.project}',)) == ()


@in_the_lab
async def test_jiras_clock_is_the_incidents(there: Site) -> None:
    started = datetime(2026, 3, 17, 10, 20, tzinfo=UTC)
    assert timedelta(0) <= await there.jira.server_time() - started < timedelta(minutes=2)


async def test_a_personal_access_token_needs_no_user(lab: LabAddress) -> None:
    jira = Jira(lab.urls["jira"], "", lab.token, cloud=False)
    assert await jira.account() == "sre-bot"


async def test_somebody_elses_copy_of_our_marker_is_not_our_comment(lab: LabAddress) -> None:
    jira, control = Jira(lab.urls["jira"], "sre-bot", lab.token, cloud=False), LabControl(lab)
    key = await control.create_ticket(key=f"{new_project()}-1")
    await jira.add_comment(key, "ours", "one")
    copied = (await jira.comments(key))[0].body.replace("sre-bot-one", "sre-bot-two")
    await control.say_on_ticket(key, copied, author="dreyes")
    await control.close()
    assert len(await jira.comments(key)) == 2
    assert await jira.find_comment(key, "two") is None
