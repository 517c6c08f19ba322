"""The bot's eyes in a Kubernetes cluster: read-only, in threads, every answer and every wait bounded."""

import asyncio
from datetime import datetime

from sre_bot.domain.cluster import ClusterSnapshot
from sre_bot.domain.errors import KubernetesError, Reason
from sre_bot.tools.kubernetes_api import KubernetesApi, connect
from sre_bot.tools.kubernetes_place import Place, place_of
from sre_bot.tools.kubernetes_snapshot import take_snapshot


class Kubernetes:
    """One cluster, reached through a kubeconfig and context, or from inside a pod.

    Without a kubeconfig the pod's service account is used, else the default kubeconfig. ``timeout`` bounds one
    request in seconds, ``deadline`` a whole snapshot. Every method raises ``KubernetesError``, or ``BadSetting`` when
    the kubeconfig cannot be used.
    """

    def __init__(
        self, kubeconfig: str | None, context: str | None, *, timeout: float = 20.0, deadline: float = 180.0
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._timeout = timeout
        self._deadline = deadline

    async def place(self) -> Place:
        """Which cluster this is, by its context, and the namespace that the context names."""
        return await asyncio.to_thread(place_of, self._kubeconfig, self._context)

    async def server_time(self) -> datetime:
        """The API server's clock, aware, in UTC."""
        async with connect(self._kubeconfig, self._context, self._timeout) as api:
            return (await api.get("/version")).date

    async def namespace_exists(self, namespace: str) -> bool:
        """Whether there is such a namespace; one whose pods we may list counts even if we may not read itself."""
        async with connect(self._kubeconfig, self._context, self._timeout) as api:
            return await _exists(api, namespace)

    async def snapshot(self, namespaces: tuple[str, ...], since: datetime | None = None) -> ClusterSnapshot:
        """Objects, events and logs of these namespaces and of what they depend on, without secret values.

        With ``since``, by the API server's clock, only what was logged and what happened from then on.
        What could not be read is named in ``unseen``; only forbidden pods, a bad token, or a cluster that does not
        answer properly are errors.
        """
        try:
            async with (
                asyncio.timeout(self._deadline),
                connect(self._kubeconfig, self._context, self._timeout) as api,
            ):
                return await take_snapshot(api, tuple(dict.fromkeys(namespaces)), since)
        except TimeoutError as error:
            message = f"no complete snapshot within {self._deadline:g} s"
            raise KubernetesError(message, reason=Reason.UNAVAILABLE) from error


async def _exists(api: KubernetesApi, namespace: str) -> bool:
    try:
        await api.get(f"/api/v1/namespaces/{namespace}")
    except KubernetesError as error:
        if error.status == 404:
            return False
        if error.status != 403:
            raise
        await api.get(f"/api/v1/namespaces/{namespace}/pods", {"limit": "1"})
    return True
