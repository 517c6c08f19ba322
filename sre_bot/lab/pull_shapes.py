"""GitHub's JSON for pull requests, reviews and comments."""

from sre_bot.lab.diffs import FileDiff
from sre_bot.lab.github_shapes import Json, Shapes, node_id, stamp
from sre_bot.lab.pull_requests import ConversationComment, Pull, ReviewComment, SubmittedReview


def pull_api(shapes: Shapes, number: int) -> str:
    """A pull request's address in the API."""
    return f"{shapes.api}/pulls/{number}"


def pull_simple(shapes: Shapes, pull: Pull) -> Json:
    """A ``pull-request-simple``, as lists print it."""
    api, html = pull_api(shapes, pull.number), f"{shapes.html}/pull/{pull.number}"
    issue = f"{shapes.api}/issues/{pull.number}"
    links = {
        "self": api,
        "html": html,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{api}/comments",
        "review_comment": f"{shapes.api}/pulls/comments{{/number}}",
        "commits": f"{api}/commits",
        "statuses": f"{shapes.api}/statuses/{pull.head}",
    }
    return {
        "id": pull.id,
        "node_id": node_id("PR", pull.id),
        "number": pull.number,
        "url": api,
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "issue_url": issue,
        **{f"{name}_url": links[name] for name in links if name not in ("self", "html", "issue")},
        "state": pull.state,
        "locked": False,
        "draft": pull.draft,
        "title": pull.title,
        "body": pull.body or None,
        "user": shapes.user(pull.author),
        "labels": [],
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        **dict.fromkeys(("assignee", "milestone", "auto_merge", "active_lock_reason")),
        "created_at": stamp(pull.created_at),
        "updated_at": stamp(pull.updated_at),
        "closed_at": stamp(pull.closed_at) if pull.closed_at else None,
        "merged_at": stamp(pull.merged_at) if pull.merged_at else None,
        "merge_commit_sha": pull.merge_sha or None,
        "head": _part(shapes, pull.branch, pull.head),
        "base": _part(shapes, pull.base, pull.base_sha),
        "author_association": "COLLABORATOR",
        "_links": {name: {"href": link} for name, link in links.items()},
    }


def pull_full(shapes: Shapes, pull: Pull, *, mergeable: bool | None, commits: int, files: list[FileDiff]) -> Json:
    """A ``pull-request``: mergeable is None for closed ones;."""
    return {
        **pull_simple(shapes, pull),
        "merged": pull.merged_at is not None,
        "mergeable": mergeable,
        "rebaseable": mergeable,
        "mergeable_state": {True: "clean", False: "dirty", None: "unknown"}[mergeable],
        "merged_by": shapes.user(pull.merged_by) if pull.merged_by else None,
        "comments": len(pull.conversation),
        "review_comments": len(pull.review_comments),
        "maintainer_can_modify": False,
        "commits": commits,
        "additions": sum(file.additions for file in files),
        "deletions": sum(file.deletions for file in files),
        "changed_files": len(files),
    }


def review(shapes: Shapes, pull: Pull, given: SubmittedReview, association: str) -> Json:
    """A ``pull-request-review``; a pending one has no ``submitted_at``."""
    html = f"{shapes.html}/pull/{pull.number}#pullrequestreview-{given.id}"
    shape: Json = {
        "id": given.id,
        "node_id": node_id("PRR", given.id),
        "user": shapes.user(given.author),
        "body": given.body,
        "state": given.state,
        "html_url": html,
        "pull_request_url": pull_api(shapes, pull.number),
        "author_association": association,
        "commit_id": given.commit,
        "_links": {"html": {"href": html}, "pull_request": {"href": pull_api(shapes, pull.number)}},
    }
    return {**shape, "submitted_at": stamp(given.submitted_at)} if given.submitted_at else shape


def review_comment(shapes: Shapes, pull: Pull, said: ReviewComment, *, outdated: bool) -> Json:
    """A ``pull-request-review-comment``. An outdated one, on a file that has changed since, has lost its line."""
    api = f"{shapes.api}/pulls/comments/{said.id}"
    html = f"{shapes.html}/pull/{pull.number}#discussion_r{said.id}"
    pull_url = pull_api(shapes, pull.number)
    shape: Json = {
        "id": said.id,
        "node_id": node_id("PRRC", said.id),
        "pull_request_review_id": said.review,
        "url": api,
        "html_url": html,
        "pull_request_url": pull_url,
        "_links": {"self": {"href": api}, "html": {"href": html}, "pull_request": {"href": pull_url}},
        "path": said.comment.path,
        "diff_hunk": said.hunk,
        "commit_id": pull.head,
        "original_commit_id": said.commit,
        "user": shapes.user(said.author),
        "body": said.comment.body,
        "author_association": "COLLABORATOR",
        "side": "RIGHT",
        "subject_type": "line" if said.comment.line else "file",
        "created_at": stamp(said.created_at),
        "updated_at": stamp(said.created_at),
    }
    return {**shape, **_lines(said, outdated=outdated)}


def _lines(said: ReviewComment, *, outdated: bool) -> Json:
    line, start = said.comment.line, said.comment.start_line or None
    if not line:
        return {}
    then = {"original_line": line, "original_start_line": start, "original_position": line}
    return then if outdated else {**then, "line": line, "start_line": start, "position": line}


def conversation_comment(shapes: Shapes, pull: Pull, said: ConversationComment) -> Json:
    """An ``issue-comment``."""
    return {
        "id": said.id,
        "node_id": node_id("IC", said.id),
        "url": f"{shapes.api}/issues/comments/{said.id}",
        "html_url": f"{shapes.html}/pull/{pull.number}#issuecomment-{said.id}",
        "issue_url": f"{shapes.api}/issues/{pull.number}",
        "user": shapes.user(said.author),
        "body": said.body,
        "created_at": stamp(said.created_at),
        "updated_at": stamp(said.created_at),
        "author_association": "COLLABORATOR",
    }


def _part(shapes: Shapes, branch: str, sha: str) -> Json:
    return {
        "label": f"{shapes.owner}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": shapes.user(shapes.owner, "Organization"),
        "repo": shapes.repository(),
    }
