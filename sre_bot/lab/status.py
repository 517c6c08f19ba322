"""Kubernetes' error answers: ``Status`` objects with the texts of the real API server."""

from dataclasses import dataclass, field
from typing import Any

from sre_bot.lab.kinds import Resource


@dataclass(eq=False)
class Refused(Exception):
    """A request that is answered with a failure ``Status``."""

    code: int
    reason: str
    message: str
    details: dict[str, Any] = field(default_factory=dict[str, Any])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def body(self) -> dict[str, Any]:
        """The ``Status`` object."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details:
            status["details"] = self.details
        return {**status, "code": self.code}


def unauthorised() -> Refused:
    """No token, or a wrong one."""
    return Refused(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, verb: str, resource: Resource, subresource: str, namespace: str, name: str) -> Refused:
    """The role does not allow it."""
    plural = f"{resource.plural}/{subresource}" if subresource else resource.plural
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    what = f'{resource.qualified} "{name}"' if name else resource.qualified
    message = (
        f'{what} is forbidden: User "{user}" cannot {verb} resource "{plural}" in API group "{resource.group}" {where}'
    )
    return Refused(403, "Forbidden", message, _details(resource, name))


def not_found(resource: Resource, name: str) -> Refused:
    """No object of that name."""
    return Refused(404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name))


def no_such_resource() -> Refused:
    """No such kind is served under that group and version."""
    return Refused(404, "NotFound", "the server could not find the requested resource")


def bad_request(message: str) -> Refused:
    """The request cannot be understood."""
    return Refused(400, "BadRequest", message)


def wrong_method(resource: Resource) -> Refused:
    """The server knows the path but not this way to use it."""
    message = "the server does not allow this method on the requested resource"
    return Refused(405, "MethodNotAllowed", message, _details(resource, ""))


def continuation_expired(token: str) -> Refused:
    """The list that a ``continue`` token belongs to is no longer known; ``token`` reads on inconsistently."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )
    return Refused(410, "Expired", message, metadata={"continue": token})


def version_too_old(asked: int, floor: int) -> Refused:
    """The history no longer reaches back to a resource version."""
    return Refused(410, "Expired", f"too old resource version: {asked} ({floor})")


def version_too_large(asked: int, current: int) -> Refused:
    """A resource version that the server has not reached yet."""
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    return Refused(504, "Timeout", f"Timeout: Too large resource version: {asked}, current: {current}", details)


def _details(resource: Resource, name: str) -> dict[str, Any]:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in details.items() if value}
