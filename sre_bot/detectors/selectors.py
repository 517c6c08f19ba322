"""Label selectors, node affinity and tolerations, as the Kubernetes API defines them. No judgement."""

from collections.abc import Callable, Mapping
from typing import Any

from sre_bot.detectors.fields import mapping, mappings, number, text, texts


def matches_labels(wanted: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels hold every pair of an equality selector; an empty selector matches all."""
    return all(labels.get(str(key)) == str(value) for key, value in wanted.items())


def matches_selector(selector: Any, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy a LabelSelector (``matchLabels`` and ``matchExpressions``, all of them)."""
    return matches_labels(mapping(selector, "matchLabels"), labels) and all(
        matches_expression(expression, labels) for expression in mappings(selector, "matchExpressions")
    )


def matches_expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy one requirement: In, NotIn, Exists, DoesNotExist, Gt, Lt."""
    found = labels.get(text(expression, "key"))
    judge = _OPERATORS.get(text(expression, "operator"))
    return judge is not None and judge(found, texts(expression, "values"))


def fits_node_terms(terms: list[dict[str, Any]], node: Any, labels: Mapping[str, str]) -> bool:
    """Whether a node satisfies one of the ``nodeSelectorTerms`` (terms are ORed, requirements in a term ANDed)."""
    fields = {"metadata.name": text(node, "metadata", "name")}
    return any(
        (term.get("matchExpressions") or term.get("matchFields"))
        and all(matches_expression(entry, labels) for entry in mappings(term, "matchExpressions"))
        and all(matches_expression(entry, fields) for entry in mappings(term, "matchFields"))
        for term in terms
    )


def tolerates(tolerations: list[dict[str, Any]], taint: Mapping[str, Any]) -> bool:
    """Whether one of the tolerations covers a taint (key, effect, and value unless ``Exists``)."""
    return any(_covers(toleration, taint) for toleration in tolerations)


def _covers(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if text(toleration, "effect") not in ("", text(taint, "effect")):
        return False
    key, exists = text(toleration, "key"), text(toleration, "operator") == "Exists"
    if not key:
        return exists
    return key == text(taint, "key") and (exists or text(toleration, "value") == text(taint, "value"))


def _compare(found: str | None, values: list[str], judge: Callable[[int, int], bool]) -> bool:
    left, right = number(found), number(values, 0)
    return left is not None and right is not None and judge(left, right)


_OPERATORS: dict[str, Callable[[str | None, list[str]], bool]] = {
    "In": lambda found, values: found in values,
    "NotIn": lambda found, values: found not in values,
    "Exists": lambda found, values: found is not None,
    "DoesNotExist": lambda found, values: found is None,
    "Gt": lambda found, values: _compare(found, values, lambda left, right: left > right),
    "Lt": lambda found, values: _compare(found, values, lambda left, right: left < right),
}
