"""Where we stand before a request is made: the context and its namespace, or the pod that we run in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from kubernetes import config

from sre_bot.domain.errors import BadSetting

_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster as people name it, and the namespace that counts where none is given."""

    name: str
    namespace: str


def place_of(kubeconfig: str | None, context: str | None) -> Place:
    """The place that a kubeconfig and context mean. Raises ``BadSetting`` where there is neither that nor a pod."""
    if not kubeconfig and not context and _OWN_NAMESPACE.is_file():
        return Place("the cluster that we run in", _OWN_NAMESPACE.read_text().strip())
    try:
        contexts, active = config.list_kube_config_contexts(config_file=kubeconfig)
    except (config.ConfigException, OSError, yaml.YAMLError, ValueError, TypeError, KeyError) as error:
        raise BadSetting(_advice(kubeconfig, error)) from error
    known = {str(one["name"]): one for one in cast(list[dict[str, Any]], contexts)}
    name = context or str((active or {}).get("name"))
    if name not in known:
        raise BadSetting(f"there is no context {name!r} in the kubeconfig; it has {', '.join(known) or 'none'}")
    inner = known[name].get("context") or {}
    return Place(f"context {name}", str(inner.get("namespace") or "default"))


def _advice(kubeconfig: str | None, error: Exception) -> str:
    where = f"the kubeconfig {kubeconfig!r}" if kubeconfig else "a kubeconfig"
    said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return f"no cluster can be reached through {where}: {said}. Give --kubeconfig, or --from a recording"
