"""Ingresses that no controller picks up: by class, by the older annotation, or for want of a default.

https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class. An address in the status proves
nothing to the contrary: a controller that no longer serves an Ingress leaves it there.
"""

import re
from collections.abc import Iterator

from sre_bot.detectors.addresses import nearest
from sre_bot.detectors.calls import configurations
from sre_bot.detectors.fields import dig, text
from sre_bot.detectors.index import ClusterIndex
from sre_bot.detectors.sightings import seen_field
from sre_bot.domain.cluster import KubernetesObject, ObjectRef
from sre_bot.domain.finding import FaultKind, Finding

_ANNOTATION = "kubernetes.io/ingress.class"
_OF_CLOUDS = re.compile(r"gce|alb|azure|nlb|openshift|tyk|citrix|f5|contour|kong|haproxy|cilium|istio", re.IGNORECASE)
"""Controllers that read the annotation and may need no IngressClass."""
_NGINX = "k8s.io/ingress-nginx"


def detect(index: ClusterIndex) -> Iterator[Finding]:
    """Judge the class of every Ingress where the classes of the cluster are known."""
    known = index.of_kind("IngressClass")
    if not known or not index.could_read("IngressClass"):
        return
    for ingress in index.of_kind("Ingress"):
        if (name := text(ingress, "spec", "ingressClassName")) or not _annotated(ingress):
            if index.get("IngressClass", "", name) is None and (name or not _is_taken_without(index, ingress)):
                yield _finding(ingress, "spec.ingressClassName", name, known)
        elif _is_nobodys(index, ingress):
            yield _finding(ingress, f'metadata.annotations["{_ANNOTATION}"]', _annotated(ingress), known)


def _annotated(ingress: KubernetesObject) -> str:
    return text(ingress, "metadata", "annotations", _ANNOTATION)


def _is_nobodys(index: ClusterIndex, ingress: KubernetesObject) -> bool:
    """Whether an annotation names no class, no controller's own choice, and no product that needs neither."""
    name = _annotated(ingress)
    chosen = any(
        name in (setting.value, setting.value.rpartition("=")[2])
        for configuration in index.once(configurations).values()
        for setting in configuration.settings
        if "class" in f"{setting.key} {setting.value}".lower()
    )
    known = index.get("IngressClass", "", name) is not None
    return not (known or chosen or _OF_CLOUDS.search(name) or _is_served(ingress))


def _is_served(ingress: KubernetesObject) -> bool:
    return bool(dig(ingress, "status", "loadBalancer", "ingress"))


def _is_taken_without(index: ClusterIndex, ingress: KubernetesObject) -> bool:
    """Whether some class is the default, or a controller serves what has no class.

    ingress-nginx does so only with ``--watch-ingress-without-class``
    (https://kubernetes.github.io/ingress-nginx/user-guide/cli-arguments/); of others an address is taken as a sign.
    """
    classes = index.of_kind("IngressClass")
    if any(
        text(one, "metadata", "annotations", "ingressclass.kubernetes.io/is-default-class") == "true" for one in classes
    ):
        return True
    words = [
        setting.line
        for configuration in index.once(configurations).values()
        for setting in configuration.settings
        if ".args[" in setting.field or ".command[" in setting.field
    ]
    nginx_only = all(text(one, "spec", "controller") == _NGINX for one in classes)
    seen = any("nginx-ingress-controller" in word for word in words)
    if nginx_only and seen:
        return any("watch-ingress-without-class" in word and "=false" not in word for word in words)
    return _is_served(ingress)


def _finding(ingress: KubernetesObject, field: str, name: str, known: tuple[KubernetesObject, ...]) -> Finding:
    ref = ObjectRef.of(ingress)
    names = [text(one, "metadata", "name") for one in known]
    said = f"class {name}, which nobody serves" if name else "no class, and there is no default"
    return Finding(
        kind=FaultKind.INGRESS_CLASS_MISSING,
        object=ref,
        field=field,
        observed=name,
        expected=nearest(name, names) or (names[0] if len(names) == 1 else ""),
        message=f"Ingress {ref.name} has {said}.",
        directness="inferred",
        evidence=(
            seen_field(ref, field, name),
            *(seen_field(ObjectRef.of(one), "metadata.name", ObjectRef.of(one).name) for one in known[:3]),
        ),
    )
