"""A repository's recent history as one git bundle from which every secret that can be told has been taken."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from sre_bot.domain.errors import BadInput, GitHubAPIError
from sre_bot.tools.git_command import Git
from sre_bot.tools.local_clone import GIT_SECONDS, LocalClone

MOST_BYTES = 256 * 1024 * 1024
LARGEST_TEXT = 1024 * 1024
LEFT_OUT = b"left out of the recording: binary, or very large\n"

Mask = Callable[[str], str]


async def record_history(clone: LocalClone, branch: str, bundle: Path, mask: Mask, *, commits: int = 200) -> None:
    """Write the newest commits of what is checked out as ``branch`` of a new bundle.

    Texts and messages go through ``mask``; authors, dates and the shape of the history stay, shas do not. Raises
    ``BadInput`` in git's words, or when the history is too large.
    """
    with tempfile.TemporaryDirectory(prefix="sre-bot-recording-") as folder:
        fresh = Git(Path(folder) / "masked.git", GIT_SECONDS, protocols="none")
        try:
            stream = await clone.git.run("fast-export", "--reencode=yes", f"--max-count={commits}", "HEAD")
            if len(stream) > MOST_BYTES:
                raise BadInput(f"the newest {commits} commits hold more than {MOST_BYTES // 1024 // 1024} MiB")
            clean = await asyncio.to_thread(masked_stream, stream, f"refs/heads/{branch}", mask)
            await fresh.run("init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", str(fresh.folder))
            await fresh.run("fast-import", "--quiet", "--force", stdin=clean)
            await fresh.run("bundle", "create", "--quiet", str(bundle), "HEAD", f"refs/heads/{branch}")
        except GitHubAPIError as error:
            raise BadInput(f"the history cannot be recorded: {str(error).removeprefix('GitHub: ')}") from error


def masked_stream(stream: bytes, ref: str, mask: Mask) -> bytes:
    """The stream of ``git fast-export`` with every blob and message masked, all of it on one branch."""
    return b"".join(_masked(stream, ref.encode(), mask))


def _masked(stream: bytes, ref: bytes, mask: Mask) -> Iterator[bytes]:
    at, inside = 0, b""
    while at < len(stream):
        end = stream.index(b"\n", at)
        line, at = stream[at:end], end + 1
        word = line.partition(b" ")[0]
        if word in (b"blob", b"commit", b"reset", b"tag"):
            inside = word
        if word in (b"commit", b"reset"):
            yield word + b" " + ref + b"\n"
        elif word == b"data":
            size = int(line[5:])
            body = _clean(stream[at : at + size], mask, is_file=inside == b"blob")
            yield b"data %d\n" % len(body) + body + b"\n"
            at += size + (stream[at + size : at + size + 1] == b"\n")
        else:
            yield line + b"\n"


def _clean(body: bytes, mask: Mask, *, is_file: bool) -> bytes:
    if is_file and (b"\0" in body or len(body) > LARGEST_TEXT):
        return LEFT_OUT
    return mask(body.decode(errors="surrogateescape")).encode(errors="surrogateescape")
