"""The lab's Git Data API: refs, blobs, trees and commits."""

import base64
import binascii
import re
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sre_bot.lab.git_objects import Signature, TreeEntry
from sre_bot.lab.git_repository import GitFailed
from sre_bot.lab.github_answers import Refusal, answer, body_of, created, not_found, page_of, text_in, unprocessable
from sre_bot.lab.github_shapes import Json, Shapes, node_id
from sre_bot.lab.hub import Hub

MODES = ("100644", "100755", "040000", "160000", "120000")
PROTECTED = "Changes must be made through a pull request."


class GitData:
    """The endpoints under ``/repos/{owner}/{repo}/git``."""

    def __init__(self, hub: Hub, shapes: Shapes) -> None:
        self._hub = hub
        self._shapes = shapes

    def routes(self) -> list[Route]:
        """All routes, relative to the repository."""
        return [
            Route("/git/refs", self.refs),
            Route("/git/matching-refs/{ref:path}", self.refs),
            Route("/git/ref/{ref:path}", self.ref),
            Route("/git/refs", self.create_ref, methods=["POST"]),
            Route("/git/refs/{ref:path}", self.update_ref, methods=["PATCH"]),
            Route("/git/refs/{ref:path}", self.delete_ref, methods=["DELETE"]),
            Route("/git/blobs", self.create_blob, methods=["POST"]),
            Route("/git/blobs/{sha}", self.blob),
            Route("/git/trees", self.create_tree, methods=["POST"]),
            Route("/git/trees/{sha:path}", self.tree),
            Route("/git/commits", self.create_commit, methods=["POST"]),
            Route("/git/commits/{sha}", self.commit),
        ]

    async def refs(self, request: Request) -> Response:
        """All refs, or those that begin with a prefix."""
        prefix = f"refs/{request.path_params.get('ref', '')}"
        found = [item for item in (await self._hub.git.refs("refs/")).items() if item[0].startswith(prefix)]
        shown, headers = page_of(request, found, self._shapes.url)
        return answer(request, [self._shapes.ref(name, sha) for name, sha in shown], headers=headers)

    async def ref(self, request: Request) -> Response:
        """One ref, by its exact name."""
        name, sha = await self._existing(request)
        return answer(request, self._shapes.ref(name, sha))

    async def create_ref(self, request: Request) -> Response:
        """Make a branch or a tag at a commit that exists."""
        body = await body_of(request)
        ref, sha = text_in(body, "ref", "Reference"), text_in(body, "sha", "Reference")
        if not ref.startswith("refs/") or not await self._hub.git.agrees("check-ref-format", ref):
            raise Refusal(422, f"Reference name {ref!r} is not valid")
        await self._check_commit(sha)
        if not await self._hub.git.move(ref, sha, None):
            raise Refusal(422, "Reference already exists")
        return created(request, self._shapes.ref(ref, sha))

    async def update_ref(self, request: Request) -> Response:
        """Move a ref forward; anywhere with ``force``."""
        ref, old = await self._existing(request, missing=Refusal(422, "Reference does not exist"))
        body = await body_of(request)
        sha = text_in(body, "sha", "Reference")
        await self._check_commit(sha)
        if ref.removeprefix("refs/heads/") in self._hub.protected:
            raise Refusal(422, PROTECTED)
        if not body.get("force") and not await self._hub.git.is_ancestor(old, sha):
            raise Refusal(422, "Update is not a fast forward")
        if not await self._hub.git.move(ref, sha, old):
            raise Refusal(409, "Reference cannot be updated")
        return answer(request, self._shapes.ref(ref, sha))

    async def delete_ref(self, request: Request) -> Response:
        """Remove a ref."""
        ref, old = await self._existing(request, missing=Refusal(422, "Reference does not exist"))
        await self._hub.git.git("update-ref", "-d", ref, old)
        return Response(status_code=204)

    async def create_blob(self, request: Request) -> Response:
        """Store a file's content, given as text or in base64."""
        body = await body_of(request)
        content = body.get("content")
        if not isinstance(content, str):
            raise unprocessable("Blob", "content must be a string")
        try:
            raw = base64.b64decode(content) if body.get("encoding") == "base64" else content.encode()
        except binascii.Error as error:
            raise unprocessable("Blob", "content is not valid Base64") from error
        sha = await self._hub.git.write_blob(raw)
        return created(request, {"sha": sha, "url": f"{self._shapes.api}/git/blobs/{sha}"})

    async def blob(self, request: Request) -> Response:
        """A file's content in base64."""
        sha = request.path_params["sha"]
        try:
            raw = await self._hub.git.blob(sha)
        except GitFailed as error:
            raise not_found() from error
        content = base64.encodebytes(raw).decode()
        shape = {"sha": sha, "node_id": node_id("B", sha), "size": len(raw), "encoding": "base64", "content": content}
        return answer(request, {**shape, "url": f"{self._shapes.api}/git/blobs/{sha}"})

    async def create_tree(self, request: Request) -> Response:
        """Store a tree, on top of ``base_tree`` where that is given."""
        body = await body_of(request)
        start = body.get("base_tree")
        if not isinstance(body.get("tree"), list):
            raise unprocessable("Tree", "tree must be a list")
        try:
            known = (
                {entry.path for entry in await self._hub.git.entries(start, recursive=True)} if start else set[str]()
            )
            entries = [await self._entry(given, known) for given in body["tree"]]
            sha = await self._hub.git.write_tree(start, entries)
        except GitFailed as error:
            raise Refusal(422, f"tree is not valid: {error}") from error
        return created(request, self._shapes.tree(sha, await self._hub.git.entries(sha)))

    async def _paths(self, tree: str | None) -> set[str]:
        return {entry.path for entry in await self._hub.git.entries(tree, recursive=True)} if tree else set()

    async def _entry(self, given: Any, known: set[str]) -> tuple[str, str, str | None]:
        if not isinstance(given, dict) or not _is_safe(str(given.get("path") or "")):
            raise Refusal(422, "tree.path contains a malformed path component")
        path, mode, sha = str(given["path"]), given.get("mode", "100644"), given.get("sha")
        if mode not in MODES:
            raise Refusal(422, "Must supply a valid tree.mode")
        if isinstance(given.get("content"), str):
            return path, mode, await self._hub.git.write_blob(given["content"].encode())
        if sha is None and path not in known:
            raise Refusal(422, "GitRPC::BadObjectState")
        if sha is not None and mode != "160000" and not await self._hub.git.agrees("cat-file", "-e", str(sha)):
            raise Refusal(422, f"tree.sha {sha} is not a valid blob")
        return path, mode, sha

    async def tree(self, request: Request) -> Response:
        """A tree's entries, of the sha of a tree or a commit or of a branch; ``recursive`` goes all the way down."""
        try:
            sha = (await self._hub.git.git("rev-parse", "--verify", f"{request.path_params['sha']}^{{tree}}")).decode()
        except GitFailed as error:
            raise not_found() from error
        entries: list[TreeEntry] = await self._hub.git.entries(
            sha.strip(), recursive="recursive" in request.query_params
        )
        return answer(request, self._shapes.tree(sha.strip(), entries))

    async def create_commit(self, request: Request) -> Response:
        """Store a commit; author and committer are the asking account now, unless they are given."""
        body = await body_of(request)
        message, tree = text_in(body, "message", "Commit"), text_in(body, "tree", "Commit")
        parents = tuple(str(parent) for parent in body.get("parents") or ())
        if not await self._hub.git.agrees("cat-file", "-e", f"{tree}^{{tree}}"):
            raise Refusal(422, "Tree SHA does not exist")
        for parent in parents:
            await self._check_commit(parent, "Parent SHA does not exist or is not a commit object")
        asker = self._hub.signature(request.state.login)
        author = _signature(body.get("author"), asker)
        committer = _signature(body.get("committer"), author)
        sha = await self._hub.git.write_commit(tree, parents, message, author, committer)
        return created(request, self._shapes.git_commit(await self._hub.git.commit(sha)))

    async def commit(self, request: Request) -> Response:
        """One commit, by its sha."""
        try:
            commit = await self._hub.git.commit(request.path_params["sha"])
        except GitFailed as error:
            raise not_found() from error
        return answer(request, self._shapes.git_commit(commit))

    async def _existing(self, request: Request, missing: Refusal | None = None) -> tuple[str, str]:
        name = f"refs/{request.path_params['ref']}"
        sha = (await self._hub.git.refs(name)).get(name)
        if sha is None:
            raise missing or (not_found() if await self._hub.git.refs() else Refusal(409, "Git Repository is empty."))
        return name, sha

    async def _check_commit(self, sha: str, complaint: str = "Object does not exist") -> None:
        is_sha = re.fullmatch(r"[0-9a-f]{40}", sha) is not None
        if not is_sha or not await self._hub.git.agrees("cat-file", "-e", f"{sha}^{{commit}}"):
            raise Refusal(422, complaint)


def _is_safe(path: str) -> bool:
    return all(part not in ("", ".", "..", ".git") for part in path.split("/"))


def _signature(given: Json | None, otherwise: Signature) -> Signature:
    if not given:
        return otherwise
    date = given.get("date")
    try:
        when = datetime.fromisoformat(str(date)) if date else otherwise.date
    except ValueError as error:
        raise Refusal(422, f"date {date!r} is not ISO 8601") from error
    return Signature(given.get("name", otherwise.name), given.get("email", otherwise.email), when)
