"""One typed ``Settings``: the only reader of the environment. Every key is documented by its description."""

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sre_bot.domain.errors import BadSetting

Names = Annotated[tuple[str, ...], NoDecode]
"""A list of names, separated by commas in the environment."""


class Settings(BaseSettings):
    """What can be set, from the environment or a ``.env`` file; the environment wins."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    jira_url: str = Field("", description="Jira's base URL, for example `https://acme.atlassian.net`.")
    jira_user: str = Field("", description="The bot's account: e-mail on Cloud, user name on Data Center.")
    jira_token: SecretStr = Field(SecretStr(""), description="API token (Cloud) or password (Data Center).")
    jira_cloud: bool = Field(True, description="Whether that Jira is Jira Cloud; `false` for Data Center.")
    jira_projects: Names = Field((), description="Projects whose tickets the bot takes, by key, comma-separated.")
    jira_status_working: str = Field("In Progress", description="The status a ticket gets when it is accepted.")
    jira_status_done: str = Field("Done", description="The status a ticket gets when it is resolved.")

    github_url: str = Field("https://api.github.com", description="GitHub's API; Enterprise: `https://host/api/v3`.")
    github_token: SecretStr = Field(SecretStr(""), description="Token of the bot's account.")
    github_repositories: Names = Field((), description="Repositories the bot may change, `owner/name`.")

    kubeconfig: str = Field("", description="Path of a kubeconfig; empty: in-cluster, else `~/.kube/config`.")
    kube_context: str = Field("", description="Context in the kubeconfig; empty: the current one.")
    namespaces: Names = Field((), description="Namespaces the bot may read.")

    argocd_url: str = Field("", description="Argo CD's base URL; empty: diagnose only, deploy nothing.")
    argocd_token: SecretStr = Field(SecretStr(""), description="API token of an Argo CD account.")
    argocd_applications: Names = Field((), description="Applications the bot may sync.")

    prometheus_url: str = Field("", description="A Prometheus-compatible server; empty: no metrics are read.")
    prometheus_token: SecretStr = Field(SecretStr(""), description="Its bearer token, where it asks for one.")

    database_url: SecretStr = Field(
        SecretStr(""), description="Your Postgres (15 or newer); empty: one of our own, in `DATA_DIR`."
    )
    redis_url: SecretStr = Field(
        SecretStr(""),
        description="A Redis for copies of the record and live progress; empty: none is needed.",
    )
    redis_prefix: str = Field(
        "sre-bot", min_length=1, description="Begins every key there; bots that share a Redis need one each."
    )
    data_dir: Path = Field(Path(".sre-bot"), description="Clones and, without `DATABASE_URL`, the database.")

    langgraph_url: str = Field(
        "", description="The LangGraph Server that runs this graph; empty: reviews of its threads are not watched."
    )
    langgraph_key: SecretStr = Field(SecretStr(""), description="Its API key, where it asks for one.")

    model_url: str = Field("", description="An OpenAI-compatible endpoint; empty: no model, rules alone.")
    model_name: str = Field("", description="The model's name there.")
    model_key: SecretStr = Field(SecretStr(""), description="Its key.")
    model_calls: int = Field(6, ge=1, description="Most model calls for one question.")

    fix_threshold: float = Field(0.6, ge=0, le=1, description="Least confidence at which a fix is proposed.")
    fix_rounds: int = Field(3, ge=1, description="Most attempts at a valid fix before a person is asked.")
    forbidden_paths: Names = Field(
        (".github/**", "**/CODEOWNERS"), description="Paths in a repository that no fix may touch, as globs."
    )
    rollback: Literal["auto", "ask"] = Field(
        "auto", description="A deployment that fails validation: revert at once, or ask with a revert pull request."
    )
    settle_seconds: float = Field(60, ge=0, description="How long a deployment must stay sound to be called valid.")
    deployment_seconds: float = Field(
        900, gt=0, validate_default=True, description="How long Argo CD may take to deploy; more than `SETTLE_SECONDS`."
    )

    poll_seconds: float = Field(5, gt=0, description="How often tickets, reviews and deployments are looked at.")
    lease_seconds: float = Field(30, ge=3, description="How long a worker's claim lives without a heartbeat.")
    concurrency: int = Field(4, ge=1, description="Workflows that one worker runs at once.")
    max_claim_attempts: int = Field(
        5, ge=2, description="Runners that may die in a row on one workflow before it is put under quarantine."
    )
    health_host: str = Field("127.0.0.1", description="Where `serve` answers `/healthz` and `/readyz`.")
    health_port: int = Field(0, ge=0, le=65_535, description="The port for that; 0: nowhere.")
    request_seconds: float = Field(20, gt=0, description="Time-out of one request to a foreign system.")

    demo_json: Path | None = Field(None, description="Where `sre-bot demo` writes its result as JSON; empty: nowhere.")

    @field_validator(
        "jira_projects", "github_repositories", "namespaces", "argocd_applications", "forbidden_paths", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("jira_projects")
    @classmethod
    def _as_jira_writes_them(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(key.upper() for key in value)

    @field_validator("jira_url", "github_url", "argocd_url", "prometheus_url", "langgraph_url", "model_url")
    @classmethod
    def _is_a_web_address(cls, value: str) -> str:
        if value and not _is_web_address(value):
            raise ValueError("not a web address; one looks like https://host or http://host:8080/path")
        return value

    @field_validator("deployment_seconds")
    @classmethod
    def _leaves_time_to_settle(cls, value: float, given: ValidationInfo) -> float:
        settle = given.data.get("settle_seconds", 0.0)
        if value <= settle:
            raise ValueError(f"{value:g} must be more than SETTLE_SECONDS ({settle:g}), or no deployment is ever valid")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_a_url(cls, value: SecretStr) -> SecretStr:
        """Refuse what Postgres' own complaint would print, password and all."""
        if value.get_secret_value() and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("not a Postgres URL; one looks like postgresql://user:password@host:5432/name")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_a_redis_url(cls, value: SecretStr) -> SecretStr:
        """Refuse what the client's own complaint would print, password and all."""
        if value.get_secret_value() and not _is_redis_address(value.get_secret_value()):
            raise ValueError("not a Redis URL; one looks like redis://:password@host:6379/0, rediss:// or unix://")
        return value

    def require(self, *names: str) -> None:
        """Raise ``BadSetting`` that lists every one of the named settings that is empty."""
        missing = [name.upper() for name in names if not _filled(getattr(self, name))]
        if missing:
            where = "Set them in the environment or in .env; `sre-bot settings` explains them."
            raise BadSetting(f"not set: {', '.join(missing)}. {where}")


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and text.split() == [text]
    except ValueError:  # brackets or a port that are none
        return False


def _is_redis_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        over_tcp = parts.scheme in ("redis", "rediss") and parts.port != 0
        return over_tcp or (parts.scheme == "unix" and bool(parts.path))
    except ValueError:  # brackets or a port that are none
        return False


def _filled(value: object) -> bool:
    return bool(value.get_secret_value()) if isinstance(value, SecretStr) else bool(value)


def inherited() -> dict[str, str]:
    """The part of our environment that any child process needs; no setting and no secret is in it."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ}


def load() -> Settings:
    """The settings of this process. Raises ``BadSetting`` that names each malformed key."""
    try:
        return Settings()  # pyright: ignore[reportCallIssue]  # the fields come from the environment
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc'])).upper()}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()
        )
        raise BadSetting(problems) from error


def table() -> str:
    """Every setting as a Markdown table: name, default, meaning."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{name.upper()}` | {_default(field.default)} | {field.description} |")
    return "\n".join(rows)


def _default(value: object) -> str:
    if isinstance(value, tuple):
        value = ",".join(str(part) for part in value)  # pyright: ignore[reportUnknownVariableType]  # of any type
    text = str(value).lower() if isinstance(value, bool) else str(value or "")
    return f"`{text}`" if text and not isinstance(value, SecretStr) else ""
