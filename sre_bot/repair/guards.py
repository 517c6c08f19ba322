"""A guard: one condition with the facts of one case, checked on a tree or written into a regression test."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sre_bot.repair.manifests import Manifests

Check = Callable[..., list[str]]


@dataclass(frozen=True, slots=True)
class Guard:
    """One condition with its facts. ``sentence`` says what must hold; ``files`` narrows what is read.

    ``reads`` says what the check takes first: the objects of the manifests, or the texts of ``files`` by path.
    ``telling`` is False where only the broken value itself is excluded, not every value like it.
    """

    check: Check
    facts: dict[str, Any]
    sentence: str
    reads: Literal["manifests", "texts"] = "manifests"
    files: tuple[str, ...] = ()
    telling: bool = True

    def problems(self, tree: dict[str, str], folder: str) -> list[str]:
        """What does not hold in a tree; empty when all is well."""
        texts = {path: tree[path] for path in self.files if path in tree}
        if self.reads == "texts":
            return self.check(texts, **self.facts)
        read = Manifests.read(texts, "") if self.files else Manifests.read(tree, folder)
        return self.check([manifest.body for manifest in read.objects], **self.facts)
