"""Values and files that programs reject as they start, in the words of every language and server."""

import pytest

from tests.ailing_clusters import answers, cluster, complaining, crashing
from tests.clusters import Object, config_map, env

REJECTED = "invalid_config"
REJECTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "python": ("ValueError: invalid literal for int() with base 10: 'ten'", {"POOL_SIZE": "ten"}),
    "pydantic": (
        "pydantic_core.ValidationError: 1 validation error for Settings\\npool_size\\n  Input should be a valid "
        "integer, unable to "
        "parse string as an integer [type=int_parsing, input_value='ten', input_type=str]",
        {"POOL_SIZE": "ten"},
    ),
    "django": (
        "django.core.exceptions.ImproperlyConfigured: 'django.db.backends.postgres' isn't an available database "
        "backend",
        {"DB_ENGINE": "django.db.backends.postgres"},
    ),
    "go": ('panic: strconv.Atoi: parsing "ten": invalid syntax', {"POOL_SIZE": "ten"}),
    "go duration": ('time: unknown unit "sec" in duration "30sec"', {"TIMEOUT": "30sec"}),
    "go duration, none": ('time: missing unit in duration "30"', {"TIMEOUT": "30"}),
    "envconfig": (
        "envconfig.Process: assigning APP_WORKERS to Workers: converting 'many' to type int. details: "
        "strconv.ParseInt: parsing "
        '"many": invalid syntax',
        {"APP_WORKERS": "many"},
    ),
    "spring": (
        "Failed to bind properties under 'server.port' to java.lang.Integer: Property: server.port Value: \"80 "
        '80" Reason: failed to '
        "convert java.lang.String to java.lang.Integer",
        {"SERVER_PORT": "80 80"},
    ),
    "spring profile": (
        "Failed to convert value 'maybe' to boolean: Invalid boolean value 'maybe'",
        {"FEATURE_ON": "maybe"},
    ),
    "java": ('java.lang.NumberFormatException: For input string: "8080a"', {"PORT_X": "8080a"}),
    "java enum": ("java.lang.IllegalArgumentException: No enum constant com.shop.Mode.FASTEST", {"MODE": "FASTEST"}),
    "jvm flag": ("Invalid maximum heap size: -Xmx2GB", {"JAVA_TOOL_OPTIONS": "-Xmx2GB"}),
    "jvm option": ("Unrecognized VM option 'UseZGCC'", {"JAVA_TOOL_OPTIONS": "-XX:+UseZGCC"}),
    "node url": ("TypeError [ERR_INVALID_URL]: Invalid URL: 'htp//api:8080'", {"API_BASE": "htp//api:8080"}),
    "node option": (
        "node: --max_old_space=512 is not allowed in NODE_OPTIONS",
        {"NODE_OPTIONS": "--max_old_space=512"},
    ),
    "zod": (
        'ZodError: [{ "code": "invalid_enum_value", "received": "verbos", "path": ["LOG_LEVEL"], "message": '
        '"Invalid enum value" }]',
        {"LOG_LEVEL": "verbos"},
    ),
    "dotnet": ("System.FormatException: The input string 'ten' was not in a correct format.", {"POOL_SIZE": "ten"}),
    "dotnet options": (
        "OptionsValidationException: DataAnnotation validation failed for 'ShopOptions' members: 'Retries' with "
        "the error: 'The field "
        "Retries must be between 1 and 10.'",
        {"Shop__Retries": "40"},
    ),
    "connection string": (
        "System.ArgumentException: Format of the initialization string does not conform to specification starting "
        "at index 0.",
        {"ConnectionStrings__Db": "Hostdb;Port"},
    ),
    "ruby": ('ArgumentError: invalid value for Integer(): "ten"', {"POOL_SIZE": "ten"}),
    "log level": ("ValueError: Unknown level: 'VERBOS'", {"LOG_LEVEL": "VERBOS"}),
    "time zone": (
        "zoneinfo._common.ZoneInfoNotFoundError: 'No time zone found with key Europe/Berln'",
        {"TZ_NAME": "Europe/Berln"},
    ),
    "cron": ("Error: Invalid cron expression: '61 * * * *'", {"SCHEDULE": "61 * * * *"}),
    "database": ('FATAL:  database "ordes" does not exist', {"DB_NAME": "ordes"}),
    "bucket": (
        "botocore.errorfactory.NoSuchBucket: An error occurred (NoSuchBucket): The specified bucket does not "
        "exist: shop-imgs",
        {"BUCKET": "shop-imgs"},
    ),
    "topic": (
        "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this "
        "topic-partition: ordes",
        {"TOPIC": "ordes"},
    ),
    "queue": ("NOT_FOUND - no queue 'ordes' in vhost '/'", {"QUEUE": "ordes"}),
    "vhost": ("NOT_ALLOWED - vhost shp not found", {"VHOST": "shp"}),
    "postgres": ('FATAL:  invalid value for parameter "shared_buffers": "4XB"', {"SHARED_BUFFERS": "4XB"}),
    "rust": ("Error: invalid value 'ten' for '--workers <WORKERS>': invalid digit found in string", {"WORKERS": "ten"}),
    "region": (
        "botocore.exceptions.InvalidRegionError: Provided region_name 'eu_west_1' doesn't match a supported format.",
        {"AWS_REGION": "eu_west_1"},
    ),
}


@pytest.mark.parametrize(("said", "values"), REJECTIONS.values(), ids=REJECTIONS)
def test_a_value_that_the_program_rejects_as_it_starts_is_named(said: str, values: dict[str, str]) -> None:
    assert answers(cluster(crashing("orders", said, spec={"env": env(**values)}))) == (
        REJECTED,
        "Deployment/shop/orders",
    )


FILES = {
    "nginx": (
        "nginx.conf",
        "server {\n  listen 80;\n  proxi_pass http://api;\n}\n",
        '[emerg] 1#1: unknown directive "proxi_pass" in /etc/nginx/conf.d/nginx.conf:3',
    ),
    "nginx end": (
        "nginx.conf",
        "server {\n  listen 80\n  root /srv;\n}\n",
        '[emerg] 1#1: invalid parameter "root" in /etc/nginx/conf.d/nginx.conf:3',
    ),
    "haproxy": (
        "haproxy.cfg",
        "frontend web\n  bindd :80\n",
        "[ALERT] (1) : config : parsing [/etc/haproxy/haproxy.cfg:2] : unknown keyword 'bindd' in 'frontend' section",
    ),
    "yaml": (
        "config.yaml",
        "a: 1\n b: 2\n",
        "yaml: line 2: mapping values are not allowed in this context in /etc/app/config.yaml",
    ),
    "json": (
        "config.json",
        '{\n "a": 1,\n}\n',
        "SyntaxError: Unexpected token } in JSON at position 11 while parsing /etc/app/config.json",
    ),
    "toml": ("config.toml", "[a\nb=1\n", "toml: line 1: expected ']' in /etc/app/config.toml"),
    "prometheus": (
        "prometheus.yml",
        "global:\n  scrape_intervall: 15s\nx: 1\n",
        "error loading config from /etc/prometheus/prometheus.yml: yaml: unmarshal errors:\\n  line 2: field "
        "scrape_intervall not found in type config.plain",
    ),
    "fluent": (
        "fluent-bit.conf",
        "[OUTPUT]\n  Name forwardd\n  Match *\n",
        "[error] [output] plugin 'forwardd' cannot be loaded: unknown plugin",
    ),
    "logback": (
        "logback.xml",
        "<configuration>\n<rot/>\n</configuration>\n",
        "ERROR in ch.qos.logback.core.joran.spi.Interpreter@2:7 - no applicable action for [rot], current "
        "ElementPath in logback.xml",
    ),
    "redis": (
        "redis.conf",
        "maxmemory 1XB\nport 6379\n",
        "*** FATAL CONFIG FILE ERROR (Redis 7.2.4) *** >>> 'maxmemory 1XB' argument must be a memory value",
    ),
    "postgres": (
        "postgresql.conf",
        "max_connections = many\nport = 5432\n",
        'FATAL:  configuration file "/etc/postgresql.conf" contains errors; invalid value for parameter '
        '"max_connections": "many"',
    ),
    "envoy": (
        "envoy.yaml",
        "static_resource: {}\nadmin: {}\n",
        "error initializing configuration '/etc/envoy/envoy.yaml': Protobuf message has unknown fields: no such "
        "field: 'static_resource'",
    ),
    "properties": (
        "application.properties",
        "server.port=80a\nx=1\n",
        "Failed to bind properties under 'server.port' to int: Value: \"80a\"",
    ),
}


@pytest.mark.parametrize(("file", "content", "said"), FILES.values(), ids=FILES)
def test_a_file_that_the_program_rejects_is_named_with_its_config_map(file: str, content: str, said: str) -> None:
    mounts: Object = {"volumes": [{"name": "conf", "configMap": {"name": "orders-conf"}}]}
    spec: Object = {"volumeMounts": [{"name": "conf", "mountPath": "/etc/app"}]}
    client = crashing("orders", said, spec=spec, **mounts)
    assert answers(cluster(client, config_map("orders-conf", **{file: content}))) == (
        REJECTED,
        "ConfigMap/shop/orders-conf",
    )


RUNNING = {
    "a schedule": (
        "invalid SCHEDULE '61 * * * *': minute out of range, no job will run",
        {"SCHEDULE": "61 * * * *"},
        REJECTED,
    ),
    "a default": ("invalid SCHEDULE '61 * * * *', using the default", {"SCHEDULE": "61 * * * *"}, "healthy"),
    "an input": ("invalid phone number '0x17' of visitor 4", {"SCHEDULE": "1 * * * *"}, "healthy"),
    "a namesake": ("cannot parse message 'orders'", {"TOPIC": "orders"}, "healthy"),
}


@pytest.mark.parametrize(("said", "values", "kind"), RUNNING.values(), ids=RUNNING)
def test_a_running_program_must_name_key_and_value(said: str, values: dict[str, str], kind: str) -> None:
    assert answers(cluster(complaining("orders", said, spec={"env": env(**values)})))[0] == kind
