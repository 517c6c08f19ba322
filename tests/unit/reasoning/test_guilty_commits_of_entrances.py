"""Which commit shut an entrance or a way: by the rule itself, or by the label, the name or the port that it needs."""

import pytest

from tests.ailing_clusters import server
from tests.clusters import container, deployment, service
from tests.declared_connections import (
    API,
    BEHIND,
    CALLS,
    GUILTY,
    NGINX,
    SILENT,
    SUBSET,
    Story,
    client,
    entrance,
    guard,
    guard_of_team,
    issued,
    secret,
    space,
    told_of,
)

STORIES = {
    "a policy added": Story(
        [],
        [guard("other")],
        [client(SILENT, CALLS), API, guard("other")],
        "network_policy_blocks",
        "NetworkPolicy/shop/guard",
    ),
    "a policy's peer": Story(
        [guard("web")],
        [guard("wep")],
        [client(SILENT, CALLS), API, guard("wep")],
        "network_policy_blocks",
        "NetworkPolicy/shop/guard",
    ),
    "the client's label": Story(
        [deployment("web", container(**CALLS))],
        [deployment("web", container(**CALLS), labels={"app": "web-v2"})],
        [client(SILENT, CALLS, labels={"app": "web-v2"}), API, guard("web")],
        "network_policy_blocks",
        "NetworkPolicy/shop/guard",
    ),
    "a class": Story(
        [entrance("nginx")],
        [entrance("public")],
        [API, entrance("public"), NGINX],
        "ingress_class_missing",
        "Ingress/shop/front",
    ),
    "a backend": Story(
        [entrance("nginx")],
        [entrance("nginx", backend="apis")],
        [API, entrance("nginx", backend="apis"), NGINX],
        "ingress_backend_missing",
        "Ingress/shop/front",
    ),
    "a certificate": Story(
        [entrance("nginx", tls=[{"secretName": "shop-tls"}])],
        [entrance("nginx", tls=[{"secretName": "front-tls"}])],
        [API, entrance("nginx", tls=[{"secretName": "front-tls"}]), secret("shop-tls", ""), NGINX],
        "tls_secret_missing",
        "Ingress/shop/front",
    ),
    "a port's name under an ingress": Story(
        [service("api", {"name": "http", "port": 80, "targetPort": 8080})],
        [service("api", {"name": "web", "port": 80, "targetPort": 8080})],
        [
            BEHIND,
            service("api", {"name": "web", "port": 80, "targetPort": 8080}),
            entrance("nginx", port="http"),
            NGINX,
        ],
        "ingress_backend_missing",
        "Ingress/shop/front",
    ),
    "a certificate's secret": Story(
        [issued("shop-tls")],
        [issued("front-tls")],
        [API, issued("front-tls"), entrance("nginx", tls=[{"secretName": "shop-tls"}]), secret("front-tls", ""), NGINX],
        "tls_secret_missing",
        "Ingress/shop/front",
    ),
    "a label under a subset": Story(
        [deployment("api", labels={"app": "api", "version": "v1"})],
        [deployment("api", labels={"app": "api", "version": "v2"})],
        [server("api", labels={"app": "api", "version": "v2"}), SUBSET],
        "gateway_misroute",
        "DestinationRule/shop/api",
    ),
    "a label of the clients' namespace": Story(
        [space("analytics")],
        [space("insights")],
        [client(SILENT, CALLS), API, space("insights"), guard_of_team("analytics")],
        "network_policy_blocks",
        "NetworkPolicy/shop/guard",
    ),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_the_commit_that_wrote_the_wrong_value_is_guilty(story: Story) -> None:
    assert told_of(story) == (story.kind, story.named, GUILTY)
