"""``doctor``: every setting and every connection, and what to do about what is wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from psycopg import OperationalError
from rich.text import Text

from sre_bot.app import REQUIRED, Tools, database_url, hot_store
from sre_bot.cli.output import AsJson, emit, out
from sre_bot.domain.errors import HotStoreAway, SreBotError
from sre_bot.persistence import migrations
from sre_bot.settings import Settings, load
from sre_bot.tools.model import offered


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``remedy`` is empty when it is well; where it is ``ok``, nothing needs it."""

    name: str
    ok: bool
    said: str
    remedy: str = ""


def doctor(as_json: AsJson = False) -> int:
    """Check the settings and every connection, read-only; exits 1 when something must be mended."""
    checks = asyncio.run(_checks(load()))
    if as_json:
        emit([asdict(check) for check in checks])
    else:
        for check in checks:
            _print(check)
    return 0 if all(check.ok for check in checks) else 1


def _print(check: Check) -> None:
    sign, style = ("✗ ", "red") if not check.ok else ("! ", "yellow") if check.remedy else ("✓ ", "green")
    out.print(Text(sign, style=style), f"{check.name}: {check.said}", sep="")
    if check.remedy:
        out.print(f"    {check.remedy}", style="yellow", markup=False)


async def _checks(settings: Settings) -> list[Check]:
    checks = [_settings_check(settings), await _database(settings), await _redis(settings)]
    if checks[0].ok:
        checks += await _connections(settings, await Tools.of(settings))
    return checks


def _settings_check(settings: Settings) -> Check:
    try:
        settings.require(*REQUIRED)
    except SreBotError as error:
        return Check("settings", False, str(error), "The README's table of settings says what each one means.")
    return Check("settings", True, "everything needed is set")


async def _database(settings: Settings) -> Check:
    try:
        async with database_url(settings) as url:
            waiting = await migrations.pending(url)
    except (SreBotError, OperationalError) as error:
        return Check("database", False, str(error), "Check DATABASE_URL and that the server runs.")
    if waiting:
        return Check("database", True, f"{len(waiting)} migrations are pending; any command applies them")
    return Check("database", True, "up to date")


async def _redis(settings: Settings) -> Check:
    """Never wrong because it is away: Postgres knows everything that it knows."""
    if not settings.redis_url.get_secret_value():
        return Check("Redis", True, "not configured: nothing needs it")
    remedy = "Check REDIS_URL and that the server runs, or leave it empty."
    try:
        async with hot_store(settings) as hot:
            await hot.ping()
    except HotStoreAway as error:
        return Check("Redis", True, f"{error}; the bot works without it", remedy)
    except SreBotError as error:
        return Check("Redis", False, str(error), remedy)
    return Check("Redis", True, "answers")


async def _connections(settings: Settings, tools: Tools) -> list[Check]:
    github, argocd = tools.github, tools.argocd

    async def jira() -> str:
        account, tickets = await tools.jira.account(), await tools.jira.assigned(settings.jira_projects)
        return f"we are {account}; {len(tickets)} open tickets are assigned to us"

    async def repositories() -> str:
        if not settings.github_token.get_secret_value():
            needs = ", ".join(settings.github_repositories)
            return f"missing: GITHUB_TOKEN, for {needs}" if needs else "GITHUB_TOKEN is empty: nothing will be repaired"
        await github.server_time()
        branches = [f"{name} ({await github.default_branch(name)})" for name in settings.github_repositories]
        return ", ".join(branches) or "no repository is open to us: nothing will be repaired"

    async def cluster() -> str:
        missing = [name for name in settings.namespaces if not await tools.kubernetes.namespace_exists(name)]
        return f"missing namespaces: {', '.join(missing)}" if missing else f"sees {', '.join(settings.namespaces)}"

    async def applications() -> str:
        if argocd is None:
            return "not configured: diagnosing only"
        if not settings.argocd_applications:
            there = ", ".join(one.name for one in await argocd.applications()) or "nothing"
            return f"missing: ARGOCD_APPLICATIONS, without which nothing will be deployed; Argo CD shows us {there}"
        return ", ".join([(await argocd.application(name)).name for name in settings.argocd_applications])

    async def metrics() -> str:
        if tools.prometheus is None:
            return "not configured: no metrics are read"
        series, unseen = await tools.prometheus.metrics(settings.namespaces, await tools.kubernetes.server_time())
        return f"missing: {unseen[0]}" if unseen and not series else f"{len(series)} series of our namespaces"

    return [
        await _try("Jira", jira, "Check JIRA_URL, JIRA_USER, JIRA_TOKEN and, for Data Center, JIRA_CLOUD=false."),
        await _try("GitHub", repositories, "Check GITHUB_URL, GITHUB_TOKEN and the names in GITHUB_REPOSITORIES."),
        await _try("Kubernetes", cluster, "Check KUBECONFIG, KUBE_CONTEXT and the role's read permissions."),
        await _try("Argo CD", applications, "Check ARGOCD_URL, ARGOCD_TOKEN and the names in ARGOCD_APPLICATIONS."),
        await _try("Prometheus", metrics, "Check PROMETHEUS_URL and PROMETHEUS_TOKEN."),
        _sandbox(tools),
        await _try("model", lambda: _model(settings), "Check MODEL_URL, MODEL_NAME and MODEL_KEY."),
    ]


async def _model(settings: Settings) -> str:
    if not settings.model_url:
        return "none: rules alone"
    key = settings.model_key.get_secret_value()
    names = await offered(settings.model_url, key, timeout=settings.request_seconds)
    if settings.model_name in names:
        return f"{settings.model_name} at {settings.model_url}"
    wanted = f"a model {settings.model_name!r}" if settings.model_name else "MODEL_NAME"
    return f"missing: {wanted}; {settings.model_url} offers {', '.join(names[:10]) or 'none'}"


async def _try(name: str, look: Callable[[], Awaitable[str]], remedy: str) -> Check:
    try:
        said = await look()
    except SreBotError as error:
        return Check(name, False, str(error), remedy)
    return Check(name, not said.startswith("missing"), said, remedy if said.startswith("missing") else "")


def _sandbox(tools: Tools) -> Check:
    if tools.sandbox:
        return Check("sandbox", True, "repository code can be run apart")
    return Check(
        "sandbox", True, "none: regression tests are written but not run. Install bubblewrap to have them run."
    )
