"""Known identities that lack a right: RBAC, IAM, brokers and databases, in the words of their clients."""

import pytest

from tests.ailing_clusters import answers, cluster, complaining, crashing, server, with_login
from tests.clusters import Object, thing

LACKING = "permission_denied"


def _binding(kind: str, role: str, **subject: str) -> Object:
    who = {"kind": "ServiceAccount", "name": "runner", "namespace": "shop", **subject}
    return thing(
        "RoleBinding",
        "runner",
        api="rbac.authorization.k8s.io/v1",
        subjects=[who],
        roleRef={"kind": kind, "name": role, "apiGroup": "rbac.authorization.k8s.io"},
    )


LACKS = {
    "kubectl": 'Error from server (Forbidden): pods is forbidden: User "system:serviceaccount:shop:runner" cannot list '
    'resource "pods" in API group "" in the namespace "shop"',
    "client-go": 'failed to list *v1.Pod: pods is forbidden: User "system:serviceaccount:shop:runner" cannot list '
    "resource "
    '"pods" in API group "" in the namespace "shop"',
    "escaped": '{"msg":"pods is forbidden: User \\"system:serviceaccount:shop:runner\\" cannot list resource '
    '\\"pods\\" in API '
    'group \\"\\" in the namespace \\"shop\\""}',
    "python": 'HTTP response body: {"kind":"Status","message":"pods is forbidden: User \\"system:serviceaccount:shop:'
    'runner\\" cannot list resource \\"pods\\" in API group \\"\\" in the namespace \\"shop\\"","code":403}',
    "fabric8": "Failure executing: GET at: https://10.96.0.1/api/v1/namespaces/shop/pods. Message: "
    "Forbidden!Configured service "
    'account doesn\'t have access. pods is forbidden: User "system:serviceaccount:shop:runner" cannot list '
    'resource "pods" '
    'in API group "" in the namespace "shop".',
    "subresource": 'pods "x" is forbidden: User "system:serviceaccount:shop:runner" cannot get resource "pods/log" '
    "in API group "
    '"" in the namespace "shop"',
    "cluster scope": 'nodes is forbidden: User "system:serviceaccount:shop:runner" cannot list resource "nodes" in '
    'API group "" '
    "at the cluster scope",
    "leases": 'error retrieving resource lock shop/runner: leases.coordination.k8s.io "runner" is forbidden: User '
    '"system:serviceaccount:shop:runner" cannot get resource "leases" in API group "coordination.k8s.io" in the '
    'namespace "shop"',
}


@pytest.mark.parametrize("said", LACKS.values(), ids=LACKS)
@pytest.mark.parametrize("crashes", [True, False], ids=["crashing", "complaining"])
def test_a_role_that_lacks_what_a_client_asks_for_is_named(said: str, crashes: bool) -> None:
    client = (crashing if crashes else complaining)("runner", said, serviceAccountName="runner")
    role = thing(
        "Role",
        "runner",
        api="rbac.authorization.k8s.io/v1",
        rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    )
    assert answers(cluster(client, role, _binding("Role", "runner"))) == (LACKING, "Role/shop/runner")


RULES = {
    "another verb": {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "watch"]},
    "another group": {"apiGroups": ["apps"], "resources": ["pods"], "verbs": ["list"]},
    "another resource": {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["list"]},
    "only some names": {"apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"], "verbs": ["list"]},
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_that_nearly_grants_is_named_with_its_role(rule: Object) -> None:
    role = thing("Role", "runner", api="rbac.authorization.k8s.io/v1", rules=[rule])
    client = complaining("runner", LACKS["client-go"], serviceAccountName="runner")
    assert answers(cluster(client, role, _binding("Role", "runner"))) == (LACKING, "Role/shop/runner")


BINDINGS = {
    "a lost role": _binding("Role", "runnr"),
    "another account": _binding("Role", "runner", name="runners"),
    "another namespace": _binding("Role", "runner", namespace="shop-old"),
    "a cluster role of the same name": _binding("ClusterRole", "runner"),
}


@pytest.mark.parametrize("binding", BINDINGS.values(), ids=BINDINGS)
def test_a_binding_that_misses_its_role_or_its_account_is_named(binding: Object) -> None:
    role = thing(
        "Role",
        "runner",
        api="rbac.authorization.k8s.io/v1",
        rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}],
    )
    client = complaining("runner", LACKS["client-go"], serviceAccountName="runner")
    assert answers(cluster(client, role, binding)) == (LACKING, "RoleBinding/shop/runner")


RIGHTS = {
    "pg table": "psycopg2.errors.InsufficientPrivilege: permission denied for table invoices",
    "pg schema": "PSQLException: ERROR: permission denied for schema billing",
    "pg sequence": "ERROR: permission denied for sequence invoices_id_seq (SQLSTATE 42501)",
    "pg owner": "ERROR: must be owner of table invoices",
    "pg database": "ERROR: permission denied to create database",
    "mysql": "(1142, \"INSERT command denied to user 'app'@'10.1.0.9' for table 'invoices'\")",
    "mysql database": "Error 1044 (42000): Access denied for user 'app'@'%' to database 'billing'",
    "mysql privilege": "Error 1227 (42000): Access denied; you need (at least one of) the SUPER privilege(s) for "
    "this operation",
    "sql server": "SqlException: The INSERT permission was denied on the object 'Invoices', database 'billing', "
    "schema 'dbo'.",
    "oracle": "ORA-01031: insufficient privileges",
    "mongo": 'MongoServerError: not authorized on billing to execute command { insert: "invoices" }',
    "redis": "NOPERM this user has no permissions to run the 'set' command",
    "kafka topic": "org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: "
    "[invoices]",
    "kafka group": "GroupAuthorizationException: Not authorized to access group: billing",
    "librdkafka": "Broker: Topic authorization failed",
    "rabbit": "operation basic.publish caused a channel exception access_refused: ACCESS_REFUSED - access to "
    "exchange 'x' in vhost "
    "'/' refused for user 'app'",
    "elastic": "security_exception: action [indices:data/write/bulk] is unauthorized for user [app] with roles "
    "[reader]",
    "s3": "botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling the PutObject operation: "
    "Access Denied",
    "aws": "AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/billing/x is not authorized to "
    "perform: sqs:"
    "SendMessage on resource: arn:aws:sqs:eu-west-1:111122223333:invoices",
    "aws role": "WebIdentityErr: failed to retrieve credentials caused by: AccessDenied: Not authorized to perform "
    "sts:AssumeRoleWithWebIdentity",
    "gcs": "google.api_core.exceptions.Forbidden: 403 POST https://storage.googleapis.com/: "
    "app@x.iam.gserviceaccount.com does not "
    "have storage.objects.create access to the Google Cloud Storage object.",
    "pubsub": "google.api_core.exceptions.PermissionDenied: 403 User not authorized to perform this action.",
    "grpc": "rpc error: code = PermissionDenied desc = The caller does not have permission",
    "azure": "AuthorizationPermissionMismatch: This request is not authorized to perform this operation using this "
    "permission.",
    "azure arm": "AuthorizationFailed: The client 'x' with object id 'x' does not have authorization to perform action "
    "'Microsoft.Storage/storageAccounts/read' over scope '/subscriptions/x'",
    "vault": "Error making API request. URL: GET https://vault:8200/v1/secret/data/x Code: 403. Errors: * 1 error "
    "occurred: * "
    "permission denied",
    "clickhouse": "Code: 497. DB::Exception: app: Not enough privileges. To execute this query, it's necessary to "
    "have the grant "
    "INSERT ON billing.invoices.",
    "cassandra": 'Unauthorized: Error from server: code=2100 [Unauthorized] message="User app has no MODIFY '
    "permission on <table "
    'billing.invoices> or any of its parents"',
}


@pytest.mark.parametrize("said", RIGHTS.values(), ids=RIGHTS)
@pytest.mark.parametrize("crashes", [True, False], ids=["crashing", "complaining"])
def test_a_known_identity_without_the_right_is_a_matter_of_rights(said: str, crashes: bool) -> None:
    client = (crashing if crashes else complaining)("billing", said, spec=with_login())
    login = thing("Secret", "login", data={"password": "c2VjcmV0"})
    assert answers(cluster(client, login, server("db", 5432))) == (LACKING, "Deployment/shop/billing")
