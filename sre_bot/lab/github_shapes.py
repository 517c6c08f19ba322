"""GitHub's JSON for people, the repository, commits, trees and refs, with every field its API description requires."""

import base64
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sre_bot.lab.diffs import FileDiff
from sre_bot.lab.git_objects import CommitRecord, Signature, TreeEntry

Json = dict[str, Any]

_USER_LINKS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPOSITORY_LINKS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
_COUNTS = ("forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count", "watchers")
_FEATURES = ("has_discussions", "has_downloads", "has_issues", "has_pages", "has_projects", "has_wiki")


def stamp(date: datetime) -> str:
    """Print a date as GitHub does: RFC 3339, in UTC, whole seconds."""
    return date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(kind: str, identity: object) -> str:
    """Make an opaque id as GitHub's GraphQL has them."""
    return base64.urlsafe_b64encode(f"{kind}:{identity}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Shapes:
    """Prints for one repository ``name`` (``owner/repository``) served at ``url``."""

    url: str
    name: str
    default_branch: str
    created: datetime

    @property
    def owner(self) -> str:
        """The first half of the name."""
        return self.name.partition("/")[0]

    @property
    def api(self) -> str:
        """The repository's address in the API."""
        return f"{self.url}/repos/{self.name}"

    @property
    def html(self) -> str:
        """The repository's page."""
        return f"{self.url}/{self.name}"

    def user(self, login: str, kind: str = "User") -> Json:
        """A ``simple-user``."""
        api = f"{self.url}/users/{login}"
        return {
            "login": login,
            "id": zlib.crc32(login.encode()),
            "node_id": node_id("U", login),
            "avatar_url": f"{self.url}/avatars/{login}",
            "gravatar_id": "",
            "url": api,
            "html_url": f"{self.url}/{login}",
            **{key: f"{api}{suffix}" for key, suffix in _USER_LINKS.items()},
            "type": kind,
            "site_admin": False,
        }

    def own_user(self, login: str, now: datetime) -> Json:
        """A ``public-user``: what an account reads about itself."""
        nothing = dict.fromkeys(("name", "company", "location", "email", "hireable", "bio", "twitter_username"))
        counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
        times = {"blog": "", "created_at": stamp(self.created), "updated_at": stamp(now)}
        return {**self.user(login), **nothing, **counts, **times}

    def repository(self) -> Json:
        """A ``repository``, as pull requests carry it."""
        return {
            "id": zlib.crc32(self.name.encode()),
            "node_id": node_id("R", self.name),
            "name": self.name.partition("/")[2],
            "full_name": self.name,
            "owner": self.user(self.owner, "Organization"),
            "private": True,
            "visibility": "private",
            "html_url": self.html,
            "url": self.api,
            **{key: f"{self.api}{suffix}" for key, suffix in _REPOSITORY_LINKS.items()},
            **dict.fromkeys(("clone_url", "git_url", "ssh_url", "svn_url"), f"{self.html}.git"),
            **dict.fromkeys(_COUNTS, 0),
            "watchers_count": 0,
            **dict.fromkeys(_FEATURES, False),
            **dict.fromkeys(("fork", "archived", "disabled"), False),
            **dict.fromkeys(("description", "homepage", "language", "license", "mirror_url")),
            **dict.fromkeys(("created_at", "updated_at", "pushed_at"), stamp(self.created)),
            "default_branch": self.default_branch,
        }

    def full_repository(self, permissions: dict[str, bool]) -> Json:
        """A ``full-repository`` with the asking account's permissions."""
        merging = dict.fromkeys(("allow_merge_commit", "allow_squash_merge", "allow_rebase_merge"), True)
        return {
            **self.repository(),
            "network_count": 0,
            "subscribers_count": 0,
            "permissions": permissions,
            "delete_branch_on_merge": False,
            **merging,
        }

    def commit(self, commit: CommitRecord, files: list[FileDiff] | None = None) -> Json:
        """A ``commit``; with its files and counts where one commit was asked for."""
        api = f"{self.api}/commits/{commit.sha}"
        shape = {
            "sha": commit.sha,
            "node_id": node_id("C", commit.sha),
            "url": api,
            "html_url": f"{self.html}/commit/{commit.sha}",
            "comments_url": f"{api}/comments",
            "commit": {
                "author": _dated(commit.author),
                "committer": _dated(commit.committer),
                "message": commit.message.rstrip("\n"),
                "tree": self._tree_link(commit.tree),
                "url": f"{self.api}/git/commits/{commit.sha}",
                "comment_count": 0,
                "verification": _unsigned(),
            },
            "author": None,
            "committer": None,
            "parents": [self._parent(sha, "commits") for sha in commit.parents],
        }
        if files is None:
            return shape
        counts = {"additions": sum(f.additions for f in files), "deletions": sum(f.deletions for f in files)}
        stats = {**counts, "total": sum(counts.values())}
        return {**shape, "stats": stats, "files": [self.file(file, commit.sha) for file in files]}

    def file(self, file: FileDiff, sha: str) -> Json:
        """A ``diff-entry`` seen from the commit ``sha``."""
        shape: Json = {
            "sha": file.sha,
            "filename": file.path,
            "status": file.status,
            "additions": file.additions,
            "deletions": file.deletions,
            "changes": file.additions + file.deletions,
            "blob_url": f"{self.html}/blob/{sha}/{file.path}",
            "raw_url": f"{self.html}/raw/{sha}/{file.path}",
            "contents_url": f"{self.api}/contents/{file.path}?ref={sha}",
        }
        if file.patch:
            shape["patch"] = file.patch
        if file.old_path != file.path:
            shape["previous_filename"] = file.old_path
        return shape

    def git_commit(self, commit: CommitRecord) -> Json:
        """A ``git-commit``, as the Git Data API prints it."""
        return {
            "sha": commit.sha,
            "node_id": node_id("C", commit.sha),
            "url": f"{self.api}/git/commits/{commit.sha}",
            "html_url": f"{self.html}/commit/{commit.sha}",
            "author": _dated(commit.author),
            "committer": _dated(commit.committer),
            "message": commit.message.rstrip("\n"),
            "tree": self._tree_link(commit.tree),
            "parents": [self._parent(sha, "git/commits") for sha in commit.parents],
            "verification": _unsigned(),
        }

    def ref(self, ref: str, sha: str) -> Json:
        """A ``git-ref``."""
        target = {"type": "commit", "sha": sha, "url": f"{self.api}/git/commits/{sha}"}
        return {"ref": ref, "node_id": node_id("REF", ref), "url": f"{self.api}/git/{ref}", "object": target}

    def tree(self, sha: str, entries: list[TreeEntry]) -> Json:
        """A ``git-tree``."""
        listed = [self._tree_entry(entry) for entry in entries]
        return {"sha": sha, "url": f"{self.api}/git/trees/{sha}", "tree": listed, "truncated": False}

    def branch(self, name: str, sha: str, *, protected: bool) -> Json:
        """A ``short-branch``."""
        commit = {"sha": sha, "url": f"{self.api}/commits/{sha}"}
        return {"name": name, "commit": commit, "protected": protected}

    def _tree_entry(self, entry: TreeEntry) -> Json:
        kind = {"blob": "blobs", "tree": "trees"}.get(entry.type, "commits")
        shape: Json = {"path": entry.path, "mode": entry.mode, "type": entry.type, "sha": entry.sha}
        if entry.size is not None:
            shape["size"] = entry.size
        return {**shape, "url": f"{self.api}/git/{kind}/{entry.sha}"}

    def _tree_link(self, sha: str) -> Json:
        return {"sha": sha, "url": f"{self.api}/git/trees/{sha}"}

    def _parent(self, sha: str, family: str) -> Json:
        return {"sha": sha, "url": f"{self.api}/{family}/{sha}", "html_url": f"{self.html}/commit/{sha}"}


def _dated(signature: Signature) -> Json:
    return {"name": signature.name, "email": signature.email, "date": stamp(signature.date)}


def _unsigned() -> Json:
    return {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
