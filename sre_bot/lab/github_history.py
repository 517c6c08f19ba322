"""The lab's branches, commits, comparisons and file contents over the API."""

import base64
import binascii
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sre_bot.lab.diffs import differences
from sre_bot.lab.git_data import PROTECTED
from sre_bot.lab.git_objects import EMPTY_TREE, TreeEntry
from sre_bot.lab.git_repository import GitFailed
from sre_bot.lab.github_answers import Refusal, answer, body_of, not_found, page_of, text_in, unprocessable
from sre_bot.lab.github_shapes import Json, Shapes
from sre_bot.lab.hub import Hub

LARGE_FILE = 1024 * 1024
"""Bytes from which the contents API gives no content."""
_KINDS = {"tree": "dir", "commit": "submodule"}


class History:
    """The endpoints that read the repository as people see it, and write single files."""

    def __init__(self, hub: Hub, shapes: Shapes) -> None:
        self._hub = hub
        self._shapes = shapes

    def routes(self) -> list[Route]:
        """All routes, relative to the repository."""
        return [
            Route("/branches", self.branches),
            Route("/branches/{branch:path}", self.branch),
            Route("/commits", self.commits),
            Route("/commits/{ref:path}", self.commit),
            Route("/compare/{basehead:path}", self.compare),
            Route("/contents", self.contents),
            Route("/contents/{path:path}", self.contents),
            Route("/contents/{path:path}", self.put_contents, methods=["PUT"]),
        ]

    async def branches(self, request: Request) -> Response:
        """All branches."""
        heads = await self._hub.git.refs()
        shown, headers = page_of(request, sorted(heads), self._shapes.url)
        names = [ref.removeprefix("refs/heads/") for ref in shown]
        shapes = [
            self._shapes.branch(name, heads[f"refs/heads/{name}"], protected=name in self._hub.protected)
            for name in names
        ]
        return answer(request, shapes, headers=headers)

    async def branch(self, request: Request) -> Response:
        """One branch with its newest commit."""
        name = request.path_params["branch"]
        sha = await self._hub.head(name)
        if sha is None:
            raise Refusal(404, "Branch not found")
        api, protected = f"{self._shapes.api}/branches/{name}", name in self._hub.protected
        shape = {
            "name": name,
            "commit": self._shapes.commit(await self._hub.git.commit(sha)),
            "_links": {"self": api, "html": f"{self._shapes.html}/tree/{name}"},
            "protected": protected,
            "protection": {"enabled": protected},
            "protection_url": f"{api}/protection",
        }
        return answer(request, shape)

    async def commits(self, request: Request) -> Response:
        """A branch's commits, newest first, all or those that touch a path or fall into a span of time."""
        wanted = request.query_params
        start = await self._hub.git.resolve(wanted.get("sha", self._hub.default_branch))
        if start is None:
            raise Refusal(409, "Git Repository is empty.") if "sha" not in wanted else not_found()
        limits = [f"--{name}={wanted[name]}" for name in ("since", "until", "author") if name in wanted]
        paths = ["--", wanted["path"]] if wanted.get("path") else []
        shas = await self._hub.git.log(start, *limits, *paths)
        shown, headers = page_of(request, shas, self._shapes.url)
        shapes = [self._shapes.commit(await self._hub.git.commit(sha)) for sha in shown]
        return answer(request, shapes, headers=headers)

    async def commit(self, request: Request) -> Response:
        """One commit with its files and patches."""
        ref = request.path_params["ref"]
        sha = await self._hub.git.resolve(ref)
        if sha is None:
            raise Refusal(422, f"No commit found for SHA: {ref}")
        commit = await self._hub.git.commit(sha)
        parent = commit.parents[0] if commit.parents else EMPTY_TREE
        files = await differences(self._hub.git, parent, sha)
        return answer(request, self._shapes.commit(commit, files))

    async def compare(self, request: Request) -> Response:
        """How two commits stand to each other; each a sha, a branch or ``owner:branch``."""
        base_name, dots, head_name = request.path_params["basehead"].partition("...")
        base, head = [await self._named(name) for name in (base_name, head_name)]
        if not dots or base is None or head is None:
            raise not_found()
        start = await self._hub.git.merge_base(base, head)
        if start is None:
            raise Refusal(404, f"No common ancestor between {base_name} and {head_name}.")
        ahead = await self._hub.git.log("--reverse", "--topo-order", f"{base}..{head}")
        behind = await self._hub.git.log(f"{head}..{base}")
        shown, headers = page_of(request, ahead, self._shapes.url, default=250)
        html = f"{self._shapes.html}/compare/{base_name}...{head_name}"
        shape = {
            "url": f"{self._shapes.api}/compare/{base_name}...{head_name}",
            **dict.fromkeys(("html_url", "permalink_url"), html),
            **{key: f"{html}.{key[:-4]}" for key in ("diff_url", "patch_url")},
            "base_commit": self._shapes.commit(await self._hub.git.commit(base)),
            "merge_base_commit": self._shapes.commit(await self._hub.git.commit(start)),
            "status": _standing(len(ahead), len(behind)),
            "ahead_by": len(ahead),
            "behind_by": len(behind),
            "total_commits": len(ahead),
            "commits": [self._shapes.commit(await self._hub.git.commit(sha)) for sha in shown],
            "files": [self._shapes.file(file, head) for file in await differences(self._hub.git, start, head)],
        }
        return answer(request, shape, headers=headers)

    async def _named(self, name: str) -> str | None:
        owner, colon, branch = name.partition(":")
        if colon:
            return await self._hub.head(branch) if owner == self._shapes.owner else None
        return await self._hub.git.resolve(name) if name else None

    async def contents(self, request: Request) -> Response:
        """A file's content in base64, or a folder's list."""
        path = request.path_params.get("path", "").strip("/")
        ref = request.query_params.get("ref", self._hub.default_branch)
        sha = await self._hub.git.resolve(ref)
        if sha is None:
            raise Refusal(404, f"No commit found for the ref {ref}")
        entry = await self._entry(sha, path)
        if entry is not None and entry.type != "tree":
            return answer(request, await self._file(entry, ref))
        if path and entry is None:
            raise not_found()
        below = await self._hub.git.entries(f"{sha}:{path}")
        return answer(request, [self._listed(one, f"{path}/{one.path}".lstrip("/"), ref) for one in below])

    async def put_contents(self, request: Request) -> Response:
        """Create or replace one file in a commit of its own; replacing needs the sha of what is replaced."""
        path, body = request.path_params["path"], await body_of(request)
        branch, message = body.get("branch") or self._hub.default_branch, text_in(body, "message", "Commit")
        head = await self._hub.head(branch)
        if head is None:
            raise Refusal(404, f"Branch {branch} not found")
        if branch in self._hub.protected:
            raise Refusal(409, f"Could not update file: {PROTECTED}")
        known = await self._entry(head, path)
        _check_replacement(path, known, body.get("sha"))
        try:
            blob = await self._hub.git.write_blob(base64.b64decode(text_in(body, "content", "Commit")))
        except binascii.Error as error:
            raise unprocessable("Commit", "content is not valid Base64") from error
        tree = await self._hub.git.write_tree(head, [(path, known.mode if known else "100644", blob)])
        who = self._hub.signature(request.state.login)
        sha = await self._hub.git.write_commit(tree, (head,), message, who, who)
        if not await self._hub.git.move(f"refs/heads/{branch}", sha, head):
            raise Refusal(409, f"{branch} was changed meanwhile")
        entry = await self._entry(sha, path)
        commit = self._shapes.git_commit(await self._hub.git.commit(sha))
        content = self._listed(entry, path, branch) if entry else None
        return answer(request, {"content": content, "commit": commit}, 200 if known else 201)

    async def _entry(self, sha: str, path: str) -> TreeEntry | None:
        if not path:
            return None
        try:
            output = await self._hub.git.git("rev-parse", "--verify", "--quiet", f"{sha}:{path}")
        except GitFailed:
            return None
        folder = path.rpartition("/")[0]
        below = await self._hub.git.entries(f"{sha}:{folder}")
        entry = next(one for one in below if one.path == path.rpartition("/")[2] and one.sha == output.decode().strip())
        return TreeEntry(path, entry.mode, entry.type, entry.sha, entry.size)

    async def _file(self, entry: TreeEntry, ref: str) -> Json:
        shape = self._listed(entry, entry.path, ref)
        if entry.type == "commit":
            return {**shape, "submodule_git_url": None}
        raw = await self._hub.git.blob(entry.sha)
        if entry.mode == "120000":
            return {**shape, "target": raw.decode(errors="replace")}
        if len(raw) > LARGE_FILE:
            return {**shape, "encoding": "none", "content": ""}
        return {**shape, "encoding": "base64", "content": base64.encodebytes(raw).decode()}

    def _listed(self, entry: TreeEntry, path: str, ref: str) -> Json:
        api = f"{self._shapes.api}/contents/{path}?ref={ref}"
        html = f"{self._shapes.html}/blob/{ref}/{path}"
        family = "trees" if entry.type == "tree" else "blobs"
        git = f"{self._shapes.api}/git/{family}/{entry.sha}"
        return {
            "name": path.rpartition("/")[2],
            "path": path,
            "sha": entry.sha,
            "size": entry.size or 0,
            "type": "symlink" if entry.mode == "120000" else _KINDS.get(entry.type, "file"),
            "url": api,
            "html_url": html,
            "git_url": git,
            "download_url": f"{self._shapes.html}/raw/{ref}/{path}" if entry.type == "blob" else None,
            "_links": {"self": api, "git": git, "html": html},
        }


def _standing(ahead: int, behind: int) -> Literal["identical", "ahead", "behind", "diverged"]:
    if ahead and behind:
        return "diverged"
    if ahead:
        return "ahead"
    return "behind" if behind else "identical"


def _check_replacement(path: str, known: TreeEntry | None, sha: str | None) -> None:
    if known and sha is None:
        raise Refusal(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if sha is not None and (known is None or known.sha != sha):
        raise Refusal(409, f"{path} does not match {sha}")
