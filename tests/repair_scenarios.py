"""Faults that a commit brought into the shop, each followed by innocent commits that must survive the repair."""

from dataclasses import dataclass

from sre_bot.domain.diagnosis import Hypothesis
from sre_bot.domain.finding import FaultKind as Kind
from sre_bot.domain.source import SourceHistory
from tests.repair_cases import commit_named, history_of, hypothesis, text
from tests.shop_tree import GOOD, changed

CULPRIT = "Tidy up"
LATER = "# looked over in January\n"
Tree = dict[str, str]


@dataclass(frozen=True)
class Scenario:
    """A broken repository, what is known about the fault, and the tree as it would be had the culprit not been."""

    name: str
    history: SourceHistory
    hypothesis: Hypothesis
    healed: Tree

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Fault:
    """One step of the culprit: ``old`` → ``new`` in a file, and the finding that comes of it."""

    kind: Kind
    path: str
    old: str
    new: str
    thing: str
    field: str
    observed: str = ""
    expected: str = ""
    container: str = ""

    def scenario(self) -> Scenario:
        """The history with this fault in its middle; the same file gets a later, innocent change."""
        broken = changed(GOOD, self.path, self.old, self.new)
        later = {**broken, self.path: broken[self.path] + LATER}
        history = history_of(
            ("Start", GOOD),
            (CULPRIT, broken),
            ("Look it over", later),
            ("Say more", {**later, "README.md": "# The shop\n"}),
        )
        cause = hypothesis(
            self.kind,
            self.thing,
            self.field,
            observed=self.observed,
            expected=self.expected,
            container=self.container,
            culprit=commit_named(history, CULPRIT),
        )
        healed = {**GOOD, self.path: GOOD[self.path] + LATER, "README.md": "# The shop\n"}
        return Scenario(str(self.kind), history, cause, healed)


_API = "spec.template.spec.containers[0]"
_CHECKOUT = "Deployment/shop/checkout"
_FILE = "deploy/checkout.yaml"
_CONTAINERS = "      containers:\n"

FAULTS = (
    Fault(Kind.SERVICE_PORT_MISMATCH, "deploy/service.yaml", "targetPort: http", "targetPort: web",
          "Service/shop/checkout", "spec.ports[0].targetPort", "web", "http"),
    Fault(Kind.SERVICE_SELECTOR_MISMATCH, "deploy/service.yaml", "app: checkout", "app: checkout-v2",
          "Service/shop/checkout", "spec.selector.app", "checkout-v2", "checkout"),
    Fault(Kind.OOM_KILLED, _FILE, "memory: 512Mi", "memory: 300Mi", _CHECKOUT,
          f"{_API}.resources.limits.memory", "300Mi", "600Mi", "api"),
    Fault(Kind.MISSING_CONFIG_MAP, _FILE, "{name: settings, key", "{name: setting, key", _CHECKOUT,
          f"{_API}.env[1].valueFrom.configMapKeyRef.name", "setting", "settings", "api"),
    Fault(Kind.MISSING_KEY, "deploy/settings.yaml", '  CUTOFF: "16:45"\n', "", _CHECKOUT,
          f"{_API}.env[1].valueFrom.configMapKeyRef.key", "CUTOFF", "", "api"),
    Fault(Kind.DEPENDENCY_WRONG_ADDRESS, _FILE, "http://pricing:", "http://prices:", _CHECKOUT,
          f"{_API}.env[0].value", "prices", "pricing", "api"),
    Fault(Kind.DEPENDENCY_WRONG_PORT, _FILE, "pricing:8080", "pricing:8081", _CHECKOUT,
          f"{_API}.env[0].value", "8081", "8080", "api"),
    Fault(Kind.INVALID_CONFIG, "deploy/settings.yaml", "db.host=db.shop.svc", "db.host=db.shops.svc",
          "ConfigMap/shop/settings", 'data["application.properties"]', "db.shops.svc", "db.shop.svc"),
    Fault(Kind.MISSING_ENV, _FILE,
          '            - name: PRICES_URL\n              value: "http://pricing:8080/v2"   # see the README\n', "",
          _CHECKOUT, f"{_API}.env", "PRICES_URL", "PRICES_URL", "api"),
    Fault(Kind.NODE_SELECTOR_MISMATCH, _FILE, _CONTAINERS, f"      nodeSelector:\n        disk: ssd\n{_CONTAINERS}",
          _CHECKOUT, "spec.template.spec.nodeSelector.disk", "ssd"),
    Fault(Kind.IMAGE_NOT_FOUND, _FILE, "checkout:1.4.0", "checkout:1.4.0-rc9", _CHECKOUT, f"{_API}.image",
          "registry.example/checkout:1.4.0-rc9", "", "api"),
    Fault(Kind.READINESS_PROBE_PORT, _FILE, "              port: http\n", "              port: metrics\n", _CHECKOUT,
          f"{_API}.readinessProbe.httpGet.port", "metrics", "http", "api"),
    Fault(Kind.READINESS_PROBE_PATH, _FILE, "path: /ready", "path: /readyz", _CHECKOUT,
          f"{_API}.readinessProbe.httpGet.path", "/readyz", "", "api"),
    Fault(Kind.MISSING_SERVICE_ACCOUNT, _FILE, _CONTAINERS, f"      serviceAccountName: till\n{_CONTAINERS}",
          _CHECKOUT, "spec.template.spec.serviceAccountName", "till"),
    Fault(Kind.ZERO_REPLICAS, _FILE, "replicas: 2", "replicas: 0", _CHECKOUT, "spec.replicas", "0"),
    Fault(Kind.CRONJOB_SUSPENDED, "deploy/cleanup.yaml", "  schedule:", "  suspend: true\n  schedule:",
          "CronJob/shop/cleanup", "spec.suspend", "true"),
    Fault(Kind.INSUFFICIENT_CPU, _FILE, "cpu: 100m", "cpu: 64", _CHECKOUT,
          f"{_API}.resources.requests.cpu", "64", "", "api"),
    Fault(Kind.INGRESS_BACKEND_MISSING, "deploy/edge.yaml", "name: checkout\n", "name: checkouts\n",
          "Ingress/shop/shop", "spec.rules[0].http.paths[0].backend.service.name", "checkouts", "checkout"),
    Fault(Kind.INGRESS_CLASS_MISSING, "deploy/edge.yaml", "ClassName: nginx", "ClassName: nginx-internal",
          "Ingress/shop/shop", "spec.ingressClassName", "nginx-internal", "nginx"),
    Fault(Kind.NETWORK_POLICY_BLOCKS, "deploy/edge.yaml", "- podSelector: {matchLabels: {app: checkout}}",
          "- podSelector: {matchLabels: {app: basket}}", "NetworkPolicy/shop/pricing", "spec.ingress"),
    Fault(Kind.STORAGE_CLASS_MISSING, "deploy/claim.yaml", "standard", "fast-ssd",
          "PersistentVolumeClaim/shop/invoices", "spec.storageClassName", "fast-ssd", "standard"),
)  # fmt: skip
"""One fault for each family; the field is what a finding names."""

_BANDS = text('''
    """Length bands."""

    LIMITS = (2.5, 5.0, 6.0)


    def band_for(length):
        """The band of a vehicle of that length; the last one for what is longer."""
        for number, limit in enumerate(LIMITS):
            if length <= limit:
                return number
        return len(LIMITS) - 1


    def name_of(band):
        return ("bike", "car", "long car")[band]
''')
_FAST = text('''
    """Length bands."""

    from bisect import bisect_left

    LIMITS = (2.5, 5.0, 6.0)


    def band_for(length):
        """The band of a vehicle of that length; the last one for what is longer."""
        return LIMITS.index(LIMITS[bisect_left(LIMITS, length)])


    def name_of(band):
        return ("bike", "car", "long car")[band]
''')
_TESTS = text("""
    import unittest

    from fares.bands import band_for


    class Bands(unittest.TestCase):
        def test_a_car_is_a_car(self):
            self.assertEqual(band_for(4.2), 1)


    def test_a_bike_is_short():
        assert band_for(1.9) == 0
""")


def code_regression() -> Scenario:
    """A faster look-up that fails for long vehicles; a later commit renames a band in the same file."""
    good = {**GOOD, "src/fares/__init__.py": "", "src/fares/bands.py": _BANDS, "tests/test_bands.py": _TESTS}
    broken = {**good, "src/fares/bands.py": _FAST}
    later = {**broken, "src/fares/bands.py": _FAST.replace('"bike"', '"cycle"')}
    history = history_of(("Start", good), (CULPRIT, broken), ("Say cycle", later))
    cause = hypothesis(
        Kind.CODE_REGRESSION,
        _CHECKOUT,
        "",
        observed="IndexError: tuple index out of range",
        culprit=commit_named(history, CULPRIT),
        container="api",
    )
    healed = {**good, "src/fares/bands.py": _BANDS.replace('"bike"', '"cycle"')}
    return Scenario("code_regression", history, cause, healed)


def scenarios() -> list[Scenario]:
    """All of them."""
    return [*(fault.scenario() for fault in FAULTS), code_regression()]
