"""Repair strategies, one module for each family, and which of them answer which kind of fault.

A strategy takes a case and yields fixes, the best first. It raises ``NoSafeFix`` or yields nothing where it has none;
it never guesses. What it yields is checked by others.
"""

from collections.abc import Callable, Iterator

from sre_bot.domain.finding import FaultKind as Kind
from sre_bot.domain.fix import Fix
from sre_bot.repair.case import Case
from sre_bot.repair.strategies.code import proven_revert, reverted_commit, reverted_file
from sre_bot.repair.strategies.environment import restored_variable
from sre_bot.repair.strategies.expected import as_expected
from sre_bot.repair.strategies.memory import doubled_limit
from sre_bot.repair.strategies.overlays import restored_lines
from sre_bot.repair.strategies.ports import reachable_port
from sre_bot.repair.strategies.restoration import lowered_again, restored_entry, restored_field, restored_object
from sre_bot.repair.strategies.selectors import pod_labels

Strategy = Callable[[Case], Iterator[Fix]]

_ORDINARY: tuple[Strategy, ...] = (restored_field, restored_object)
_COMPARED: tuple[Strategy, ...] = (restored_field, as_expected, restored_object)
_ROOM: tuple[Strategy, ...] = (lowered_again,)

_BY_KIND: dict[Kind, tuple[Strategy, ...]] = {
    Kind.SERVICE_PORT_MISMATCH: (restored_field, reachable_port, as_expected, proven_revert),
    Kind.SERVICE_SELECTOR_MISMATCH: (restored_field, pod_labels, proven_revert),
    Kind.SERVICE_PROTOCOL_MISMATCH: _COMPARED,
    Kind.OOM_KILLED: (restored_field, doubled_limit, restored_object),
    Kind.MISSING_CONFIG_MAP: (restored_field, as_expected, proven_revert),
    Kind.MISSING_SECRET: (restored_field, as_expected),
    Kind.MISSING_KEY: (restored_field, as_expected, restored_entry, proven_revert),
    Kind.MISSING_ENV: (restored_variable,),
    Kind.DEPENDENCY_WRONG_ADDRESS: _COMPARED,
    Kind.DEPENDENCY_WRONG_PORT: _COMPARED,
    Kind.LIVENESS_PROBE_PORT: _COMPARED,
    Kind.LIVENESS_PROBE_PROTOCOL: _COMPARED,
    Kind.LIVENESS_PROBE_PATH: _COMPARED,
    Kind.READINESS_PROBE_PORT: _COMPARED,
    Kind.READINESS_PROBE_PROTOCOL: _COMPARED,
    Kind.READINESS_PROBE_PATH: _COMPARED,
    Kind.MISSING_SERVICE_ACCOUNT: (*_COMPARED, proven_revert),
    Kind.STORAGE_CLASS_MISSING: _COMPARED,
    Kind.INGRESS_CLASS_MISSING: _COMPARED,
    Kind.INGRESS_BACKEND_MISSING: (*_COMPARED, proven_revert),
    Kind.TLS_SECRET_MISSING: _COMPARED,
    Kind.ZERO_REPLICAS: _COMPARED,
    Kind.CRONJOB_SUSPENDED: _COMPARED,
    Kind.QUOTA_EXCEEDED: _ROOM,
    Kind.LIMIT_RANGE_VIOLATION: _ROOM,
    Kind.INSUFFICIENT_CPU: _ROOM,
    Kind.INSUFFICIENT_MEMORY: _ROOM,
    Kind.CODE_REGRESSION: (reverted_commit, reverted_file),
    Kind.MEMORY_LEAK: (reverted_commit,),
}

_NOT_OURS = {
    Kind.NODE_CORDONED: "a node's state is not in the repository",
    Kind.NODE_NOT_READY: "a node's state is not in the repository",
    Kind.KUBELET_DOWN: "a node's state is not in the repository",
    Kind.CONTAINER_RUNTIME_DOWN: "a node's state is not in the repository",
    Kind.KUBE_PROXY_DOWN: "a node's state is not in the repository",
    Kind.SCHEDULER_DOWN: "the control plane is not in the repository",
    Kind.NODE_NETWORK_DEGRADED: "a node's network is not in the repository",
    Kind.NETWORK_DELAY: "the network is not in the repository",
    Kind.REGISTRY_UNREACHABLE: "the registry is outside the repository",
    Kind.UPSTREAM_OUTAGE: "the cause is outside the repository",
    Kind.TRAFFIC_SURGE: "how much load is to be served is for a person to decide",
    Kind.CERTIFICATE_EXPIRED: "a new certificate has to be issued by a person",
    Kind.DISK_FULL: "what may be deleted or grown is for a person to decide",
    Kind.READ_ONLY_DATABASE: "the database's state is not in the repository",
    Kind.PV_ALREADY_BOUND: "whose data the volume holds is for a person to decide",
    Kind.HEALTHY: "nothing is wrong",
    Kind.RECOVERED: "nothing is wrong any more",
}


def strategies_for(kind: Kind) -> tuple[Strategy, ...]:
    """The strategies for a kind in the order in which they are tried; empty where a person has to act."""
    if kind in _NOT_OURS:
        return ()
    own = _BY_KIND.get(kind, _ORDINARY)
    return own if kind in (Kind.CODE_REGRESSION, Kind.MEMORY_LEAK) else (*own, restored_lines)


def why_not_ours(kind: Kind) -> str:
    """Why no strategy exists for a kind; empty where there are some."""
    return _NOT_OURS.get(kind, "")
