"""What a symptom by itself leaves possible: the kinds that end in such a state, whatever the rules say.

The states are those of the kubelet and of the controllers: a container that waits for its configuration or its image, a
workload that may not create pods, a claim that is not bound, a node that is not ready, exit codes
(https://kubernetes.io/docs/tasks/debug/debug-application/, https://tldp.org/LDP/abs/html/exitcodes.html).
"""

import re

from sre_bot.detectors.symptoms import Symptom
from sre_bot.domain.finding import FaultKind as Kind
from sre_bot.reasoning.field_faults import Fault

_BY_ACHE: dict[str, tuple[Fault, ...]] = {
    "no pods": (
        Fault(Kind.QUOTA_EXCEEDED, 0.5),
        Fault(Kind.ADMISSION_DENIED, 0.5),
        Fault(Kind.LIMIT_RANGE_VIOLATION, 0.4),
        Fault(Kind.MISSING_SERVICE_ACCOUNT, 0.4),
    ),
    "claim pending": (
        Fault(Kind.PVC_SELECTOR_MISMATCH, 0.4),
        Fault(Kind.PVC_ACCESS_MODE_MISMATCH, 0.4),
        Fault(Kind.PVC_CAPACITY_MISMATCH, 0.4),
        Fault(Kind.STORAGE_CLASS_MISSING, 0.4),
    ),
    "node not ready": (
        Fault(Kind.NODE_NOT_READY, 0.5),
        Fault(Kind.KUBELET_DOWN, 0.5),
        Fault(Kind.CONTAINER_RUNTIME_DOWN, 0.4),
    ),
}
_BY_WORDS: tuple[tuple[str, tuple[Fault, ...]], ...] = (
    (
        r"CreateContainerConfigError",
        (Fault(Kind.MISSING_CONFIG_MAP, 0.5), Fault(Kind.MISSING_SECRET, 0.5), Fault(Kind.MISSING_KEY, 0.5)),
    ),
    (r"ImagePullBackOff|ErrImagePull", (Fault(Kind.IMAGE_NOT_FOUND, 0.6), Fault(Kind.IMAGE_PULL_DENIED, 0.5))),
    (r"OOMKilled", (Fault(Kind.OOM_KILLED, 0.6), Fault(Kind.MEMORY_LEAK, 0.4))),
    (r"exitCode: 12[678]\b|StartError|RunContainerError", (Fault(Kind.INVALID_COMMAND, 0.6),)),
    (r"exitCode: [12]\b", (Fault(Kind.INVALID_CONFIG, 0.2), Fault(Kind.MISSING_ENV, 0.2))),
)


def faults_behind(symptom: Symptom) -> tuple[Fault, ...]:
    """The kinds that may end in this state, at the symptom's own object; none where the state says nothing."""
    told = " ".join([symptom.text, *(piece.excerpt for piece in symptom.evidence)])
    by_words = next((faults for words, faults in _BY_WORDS if re.search(words, told)), ())
    return (*_BY_ACHE.get(symptom.ache, ()), *by_words)
