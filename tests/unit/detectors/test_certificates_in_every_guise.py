"""Certificates out of their validity, in the words of every TLS library: who presents them is named."""

import pytest

from tests.ailing_clusters import answers, cluster, complaining, crashing, quiet, server, variables
from tests.clusters import ago, service, thing

EXPIRED = "certificate_expired"
SAID = {
    "go": 'Get "https://api:8443/v1": tls: failed to verify certificate: x509: certificate has expired or is not '
    "yet valid: current "
    "time 2026-03-10T12:00:00Z is after 2026-03-09T00:00:00Z",
    "python": "requests.exceptions.SSLError: HTTPSConnectionPool(host='api', port=8443): Max retries exceeded "
    "(Caused by SSLError("
    "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has "
    "expired (_ssl.c:1006)')))",
    "node": "FetchError: request to https://api:8443/v1 failed, reason: certificate has expired (CERT_HAS_EXPIRED)",
    "jvm": 'I/O error on GET request for "https://api:8443/v1": PKIX path validation failed: '
    "java.security.cert.CertPathValidatorException: "
    "validity check failed: java.security.cert.CertificateExpiredException: NotAfter: Mon Mar 09 00:00:00 UTC 2026",
    "dotnet": "The SSL connection could not be established (api:8443), see inner exception. "
    "AuthenticationException: The remote certificate "
    "is invalid because of errors in the certificate chain: NotTimeValid",
    "ruby": "OpenSSL::SSL::SSLError: SSL_connect returned=1 errno=0 peeraddr=10.96.0.9:8443 state=error: "
    "certificate verify failed "
    "(certificate has expired)",
    "php": "cURL error 60: SSL certificate problem: certificate has expired for https://api:8443/v1",
    "rust": "error sending request for url (https://api:8443/v1): invalid peer certificate: Expired",
    "rustls": "https://api:8443/ invalid peer certificate: certificate expired: verification time 1741608000 "
    "(UNIX), but certificate is not "
    "valid after 1741478400",
    "curl": "curl: (60) SSL certificate problem: certificate has expired, https://api:8443",
    "nginx": "upstream SSL certificate verify error: (10:certificate has expired) while SSL handshaking to "
    "upstream, upstream: "
    '"https://10.96.0.9:8443/"',
    "envoy": "upstream https://api:8443 reset reason: remote connection failure, transport failure reason: "
    "TLS_error:|268435581:SSL routines:"
    "OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end verify cert failed: certificate has expired",
    "openssl": "api:8443 verify error:num=10:certificate has expired",
    "grpc": 'rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake '
    "failed: tls: failed to verify "
    'certificate: x509: certificate has expired or is not yet valid" api:8443',
    "not yet": "x509: certificate is not yet valid: api:8443",
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
@pytest.mark.parametrize("crashes", [True, False], ids=["crashing", "complaining"])
def test_who_presents_a_certificate_that_has_run_out_is_named(said: str, crashes: bool) -> None:
    client = (crashing if crashes else complaining)("web", said, spec=variables(API_URL="https://api:8443"))
    assert answers(cluster(client, server("api", 8443))) == (EXPIRED, "Deployment/shop/api")


WEBHOOK = (
    'Internal error occurred: failed calling webhook "check.policy.io": failed to call webhook: Post '
    '"https://policy.guard.svc:443/check?timeout=10s": tls: failed to verify certificate: x509: certificate has '
    "expired or is not yet valid: current time 2026-03-10T12:00:00Z is after 2026-03-09T00:00:00Z"
)


def test_a_webhook_whose_certificate_has_run_out_is_named() -> None:
    from tests.clusters import deployment, event, replica_set

    made = deployment(
        "web",
        status={
            "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": WEBHOOK}]
        },
    )
    owner = replica_set(made)
    front = service("policy", {"port": 443, "targetPort": 8443}, namespace="guard")
    policy = quiet("policy", {"ports": [{"containerPort": 8443}]}, namespace="guard")
    seen = cluster(made, owner, policy, front, events=[event(owner, "FailedCreate", f"Error creating: {WEBHOOK}")])
    assert answers(seen)[0] == EXPIRED


def test_a_certificate_that_its_manager_calls_expired_is_named() -> None:
    held = thing(
        "Certificate",
        "shop",
        api="cert-manager.io/v1",
        spec={"secretName": "shop-tls", "dnsNames": ["shop.example"]},
        status={
            "notAfter": ago(60),
            "conditions": [
                {
                    "type": "Ready",
                    "status": "False",
                    "reason": "Expired",
                    "message": "Certificate expired on Tue, 10 Mar 2026",
                }
            ],
        },
    )
    assert answers(cluster(server("api"), held)) == (EXPIRED, "Certificate/shop/shop")


def test_a_certificate_that_is_about_to_be_renewed_is_no_fault() -> None:
    held = thing(
        "Certificate",
        "shop",
        api="cert-manager.io/v1",
        spec={"secretName": "shop-tls"},
        status={"notAfter": ago(-3_000), "conditions": [{"type": "Ready", "status": "True"}]},
    )
    assert answers(cluster(server("api"), held))[0] == "healthy"


def test_a_warning_of_a_certificate_that_will_expire_is_no_fault() -> None:
    said = "certificate of api:8443 expires in 20 days"
    assert (
        answers(
            cluster(
                complaining("web", said, level="WARN", spec=variables(API_URL="https://api:8443")), server("api", 8443)
            )
        )[0]
        == "healthy"
    )
