"""The Postgres server of one lane of scenarios: real, its own, and stopped in mid-flight where a scenario says so."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from sre_bot.persistence.embedded_home import Home
from sre_bot.persistence.migrations import migrate
from sre_bot.persistence.postgres_programs import wheel_binaries
from sre_bot.persistence.postmaster import DATABASE, SUPERUSER, Cluster


class Server:
    """A running server. Not for use from a thread: the kernel ends it with the thread that started it."""

    def __init__(self, cluster: Cluster, stack: ExitStack) -> None:
        self._cluster = cluster
        self._stack = stack
        self._process, self.port = self._serve(None)
        self.restarts = 0

    @classmethod
    @contextmanager
    def start(cls, folder: Path) -> Generator["Server"]:
        """Make and start a server with a migrated database; gone at the end."""
        cluster = Cluster.prepare(Home.settle(folder), wheel_binaries())
        with ExitStack() as stack:
            server = cls(cluster, stack)
            asyncio.run(migrate(server.url()))
            yield server

    def url(self, port: int | None = None, database: str = DATABASE) -> str:
        """Where to connect; through the line at ``port`` where given."""
        password = self._cluster.home.password()
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port or self.port}/{database}?sslmode=disable"

    async def copy_database(self, name: str) -> None:
        """One more database with the same tables."""
        async with await AsyncConnection.connect(self.url(database="template1"), autocommit=True) as connection:
            statement = SQL("create database {} template {}").format(Identifier(name), Identifier(DATABASE))
            await connection.execute(statement)

    def restart_immediately(self) -> None:
        """What ``pg_ctl restart -m immediate`` does: every backend is aborted at once, then the log is replayed."""
        os.kill(self._process.pid, signal.SIGQUIT)
        self._process.wait()
        self._process, self.port = self._serve(self.port)
        self.restarts += 1
        while not self._answers():
            continue

    def _serve(self, port: int | None) -> tuple["subprocess.Popen[bytes]", int]:
        return self._stack.enter_context(self._cluster.serve(port))

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True
