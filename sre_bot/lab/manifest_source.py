"""Where Argo CD gets its manifests: revisions of the hub's repository, rendered once each."""

from dataclasses import dataclass, field

from sre_bot.domain.cluster import KubernetesObject
from sre_bot.domain.errors import BadInput
from sre_bot.lab.cluster import Key
from sre_bot.lab.git_repository import GitFailed
from sre_bot.lab.manifests import complete
from sre_bot.lab.physics import DeployedTree
from sre_bot.lab.recording import RecordedApplication
from sre_bot.lab.render import RenderFailed, render
from sre_bot.lab.world import World

Manifests = dict[Key, KubernetesObject]


@dataclass(slots=True)
class ManifestSource:
    """The repository, branch and path of the incident's application."""

    world: World
    _trees: dict[str, DeployedTree] = field(default_factory=dict[str, DeployedTree])

    @property
    def exists(self) -> bool:
        """Whether the incident has an application in a repository."""
        return self.world.recording.incident.argocd is not None and self.world.hub.repository is not None

    @property
    def application(self) -> RecordedApplication:
        """The application. Raises ``BadInput`` where the incident has none."""
        if self.world.recording.incident.argocd is None:
            raise BadInput("this incident has no Argo CD application")
        return self.world.recording.incident.argocd

    @property
    def branch(self) -> str:
        """The branch that the application follows."""
        return self.world.hub.default_branch

    async def head(self) -> str:
        """The branch's head, empty where there is no such branch."""
        return await self.world.hub.head(self.branch) or ""

    async def resolve(self, revision: str) -> str | None:
        """The commit that a branch, tag or short sha names; a full sha is taken at its word, as Argo CD does."""
        if len(revision) == 40 and all(letter in "0123456789abcdef" for letter in revision):
            return revision
        return await self.world.hub.git.resolve(revision)

    async def tree(self, revision: str) -> DeployedTree:
        """The tree of a commit with what it renders to. Raises ``RenderFailed``."""
        if revision not in self._trees:
            files = await self._files(revision)
            self._trees[revision] = DeployedTree(files, await render(files, self.application.path))
        return self._trees[revision]

    async def manifests(self, revision: str) -> Manifests:
        """The manifests of a commit by key. Raises ``RenderFailed``."""
        return self.completed(await self.tree(revision))

    async def error(self, revision: str) -> str:
        """Why a commit gives no manifests, empty where it does."""
        try:
            await self.tree(revision)
        except RenderFailed as failed:
            return str(failed)
        return ""

    def completed(self, tree: DeployedTree) -> Manifests:
        """A tree's manifests by key, namespaces filled in."""
        return complete(tree.objects, self.application.namespace, self.world.cluster)

    async def deploying_commits(self, head: str, limit: int) -> list[str]:
        """The newest commits that changed what is deployed, oldest first; the head where none did."""
        path = self.application.path.strip("/") or "."
        return (await self.world.hub.git.log(f"--max-count={limit}", head, "--", path))[::-1] or [head]

    async def _files(self, revision: str) -> dict[str, str]:
        try:
            return await self.world.hub.tree(revision)
        except GitFailed as failed:
            command = f"`git fetch origin {revision} --tags --force --prune`"
            message = f"Failed to checkout revision {revision}: {command} failed exit status 128: {failed}"
            raise RenderFailed(message, code="Internal") from failed
