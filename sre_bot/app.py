"""The composition root: the one place that knows which concrete parts make up a running bot."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langgraph.graph.state import CompiledStateGraph

from sre_bot.agents.fix_generation import FixAgent
from sre_bot.agents.root_cause import RootCauseAgent
from sre_bot.domain.scope import Allowed, host_of
from sre_bot.graph.analysis import Analysis, SourceReader
from sre_bot.graph.case_files import CaseFiles
from sre_bot.graph.deployment import Deployment
from sre_bot.graph.duplicates import Duplicates
from sre_bot.graph.exclusion import Exclusion
from sre_bot.graph.graph import GRAPH_VERSION, SubStates, build
from sre_bot.graph.merge_queue import MergeQueue
from sre_bot.graph.outward import Outward
from sre_bot.graph.remediation import Remediation
from sre_bot.graph.review import Review, ReviewReader
from sre_bot.graph.rollback import Rollback
from sre_bot.graph.soundness import Soundness
from sre_bot.graph.state import Case
from sre_bot.graph.ticket_acceptance import TicketAcceptance
from sre_bot.graph.witness import Witness
from sre_bot.persistence.artifacts import Artifacts
from sre_bot.persistence.database import Database
from sre_bot.persistence.effects import Effects
from sre_bot.persistence.embedded import EmbeddedPostgres
from sre_bot.persistence.heartbeats import Heartbeats
from sre_bot.persistence.hot.lock_hints import LockHints
from sre_bot.persistence.hot.rounds import RoundBook
from sre_bot.persistence.hot.store import HotStore
from sre_bot.persistence.hot.upkeep import kept_in_step
from sre_bot.persistence.ignored import IgnoredEvents
from sre_bot.persistence.locks import ResourceLocks
from sre_bot.persistence.migrations import migrate
from sre_bot.persistence.operator import OperatorRequests
from sre_bot.persistence.quarantine import Quarantines
from sre_bot.persistence.saver import AuditedSaver
from sre_bot.persistence.watching import Watch
from sre_bot.persistence.workflows import Workflows
from sre_bot.settings import Settings
from sre_bot.tools.argocd import ArgoCD
from sre_bot.tools.github import GitHub
from sre_bot.tools.jira import Jira
from sre_bot.tools.kubernetes import Kubernetes
from sre_bot.tools.langgraph_server import LangGraphServer
from sre_bot.tools.model import chat_model
from sre_bot.tools.prometheus import Prometheus
from sre_bot.tools.sandbox import Sandbox
from sre_bot.tools.workspace import Workspace
from sre_bot.worker.apart import Apart
from sre_bot.worker.coverage import refuse_to_lose
from sre_bot.worker.health import Examination
from sre_bot.worker.isolation import Isolation
from sre_bot.worker.monitors import Monitors
from sre_bot.worker.notices import Notices
from sre_bot.worker.recovery import RecoveryManager
from sre_bot.worker.runner import Runner
from sre_bot.worker.server_runs import ServerRuns
from sre_bot.worker.service import Service

REQUIRED = ("jira_url", "jira_token", "jira_projects", "namespaces")
"""Settings without which no ticket can be worked on."""

Graph = CompiledStateGraph[Case, Any, Case, Case]


@dataclass(frozen=True, slots=True)
class Tools:
    """The hands: one client for each foreign system."""

    jira: Jira
    github: GitHub
    kubernetes: Kubernetes
    argocd: ArgoCD | None
    prometheus: Prometheus | None
    workspace: Workspace
    sandbox: Sandbox | None
    model: BaseChatModel | None

    @classmethod
    async def of(cls, settings: Settings) -> "Tools":
        """The clients for the settings; nothing is called yet."""
        timeout = settings.request_seconds
        github_token = settings.github_token.get_secret_value()
        model = settings.model_url and chat_model(
            settings.model_url, settings.model_name, settings.model_key.get_secret_value(), timeout=timeout
        )
        return cls(
            jira=_jira(settings),
            github=_github(settings),
            kubernetes=Kubernetes(settings.kubeconfig or None, settings.kube_context or None, timeout=timeout),
            argocd=_argocd(settings),
            prometheus=_prometheus(settings),
            workspace=Workspace(settings.data_dir / "clones", github_token),
            sandbox=await Sandbox.detect(),
            model=model or None,
        )


@dataclass(frozen=True, slots=True)
class Record:
    """The memory: everything that is kept in Postgres, and the Redis that may hold copies of it."""

    database: Database
    workflows: Workflows
    effects: Effects
    artifacts: Artifacts
    locks: ResourceLocks
    requests: OperatorRequests
    quarantines: Quarantines
    heartbeats: Heartbeats
    rounds: RoundBook
    ignored: IgnoredEvents
    hot: HotStore

    @classmethod
    def of(cls, database: Database, hot: HotStore | None = None) -> "Record":
        """The record on an open database, and Redis where there is one."""
        hot = hot or HotStore()
        return cls(
            database,
            Workflows(database),
            Effects(database),
            Artifacts(database),
            ResourceLocks(database, LockHints(hot)),
            OperatorRequests(database),
            Quarantines(database),
            Heartbeats(database),
            RoundBook(database),
            IgnoredEvents(database),
            hot,
        )

    def examination(self) -> Examination:
        """Looks at how the bot is doing."""
        return Examination(self.heartbeats, self.requests, self.quarantines, self.rounds)


@dataclass(frozen=True, slots=True)
class App:
    """A whole bot, ready to run workflows."""

    settings: Settings
    record: Record
    tools: Tools
    graph: Graph
    runner: Runner
    monitors: Monitors
    owner: str

    def service(self) -> Service:
        """The running bot over this app."""
        return Service(
            runner=self.runner,
            monitors=self.monitors,
            workflows=self.record.workflows,
            apart=Apart((sys.executable, "-m", "sre_bot", "take-up")),
            heartbeats=self.record.heartbeats,
            notices=self.notices(),
            server_runs=self.server_runs(),
            owner=self.owner,
            lease=timedelta(seconds=self.settings.lease_seconds),
            poll=timedelta(seconds=self.settings.poll_seconds),
            concurrency=self.settings.concurrency,
        )

    def notices(self) -> Notices:
        """What people are told while workflows wait for them."""
        record, lease = self.record, timedelta(seconds=self.settings.lease_seconds)
        outward = self.runner.outward
        return Notices(
            record.database, record.workflows, record.effects, outward, Watch(record.database), self.owner, lease
        )

    def server_runs(self) -> ServerRuns:
        """The eye on what runs on LangGraph Server."""
        record, lease = self.record, timedelta(seconds=self.settings.lease_seconds)
        saver = AuditedSaver(record.database)
        return ServerRuns(record.database, record.workflows, Watch(record.database), saver, self.owner, lease)

    def recovery(self) -> RecoveryManager:
        """The one sweep over what is due."""
        return RecoveryManager(
            runner=self.runner,
            workflows=self.record.workflows,
            owner=self.owner,
            lease=timedelta(seconds=self.settings.lease_seconds),
            concurrency=self.settings.concurrency,
        )


@asynccontextmanager
async def database_url(settings: Settings) -> AsyncGenerator[str]:
    """The database to use: yours, or our own server, held for as long as the context lives."""
    if url := settings.database_url.get_secret_value():
        yield url
        return
    embedded = await asyncio.to_thread(_attach, settings.data_dir)
    try:
        yield embedded.url
    finally:
        embedded.close()


def _attach(data_dir: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres.attach_in(data_dir.absolute() / "postgres")


@asynccontextmanager
async def open_record(settings: Settings) -> AsyncGenerator[Record]:
    """The record alone, migrated: enough to look at workflows."""
    async with database_url(settings) as url:
        await migrate(url)
        idle_limit = timedelta(seconds=settings.lease_seconds / 3)
        async with Database.open(url, idle_limit=idle_limit) as database, hot_store(settings) as hot:
            yield Record.of(database, hot)


def hot_store(settings: Settings) -> AbstractAsyncContextManager[HotStore]:
    """Redis, where one is set; it is connected to when it is first asked."""
    return HotStore.open(settings.redis_url.get_secret_value(), settings.redis_prefix)


@asynccontextmanager
async def compose(settings: Settings) -> AsyncGenerator[App]:
    """A whole bot. Raises ``BadSetting`` when something it cannot do without is not set, ``ThreadsWouldBeLost``."""
    settings.require(*REQUIRED)
    async with open_record(settings) as record:
        tools = await Tools.of(settings)
        graph = build(sub_states(settings, record, tools), AuditedSaver(record.database))
        await refuse_to_lose(record.database, graph, GRAPH_VERSION)
        lease = timedelta(seconds=settings.lease_seconds)
        owner = f"{socket.gethostname()}:{os.getpid()}"
        outward = outward_of(record, tools)
        isolation = Isolation(record.quarantines, record.workflows, outward, settings.max_claim_attempts)
        async with kept_in_step(record.database, record.hot, owner):
            yield App(
                settings=settings,
                record=record,
                tools=tools,
                graph=graph,
                runner=Runner(graph, record.workflows, record.locks, outward, isolation, lease),
                monitors=Monitors(
                    database=record.database,
                    workflows=record.workflows,
                    locks=record.locks,
                    watch=Watch(record.database),
                    jira=tools.jira,
                    reviews=ReviewReader(tools.github),
                    server=_langgraph_server(settings),
                    projects=settings.jira_projects,
                    owner=owner,
                    lease=lease,
                ),
                owner=owner,
            )


def witness_of(settings: Settings) -> Witness:
    """Those of the foreign systems that are configured, to be asked what they know; nothing is called yet."""
    return Witness(
        jira=_jira(settings) if settings.jira_url and settings.jira_token.get_secret_value() else None,
        github=_github(settings) if settings.github_token.get_secret_value() else None,
        argocd=_argocd(settings),
    )


def _jira(settings: Settings) -> Jira:
    token = settings.jira_token.get_secret_value()
    cloud, timeout = settings.jira_cloud, settings.request_seconds
    return Jira(settings.jira_url, settings.jira_user, token, cloud=cloud, timeout=timeout)


def _github(settings: Settings) -> GitHub:
    return GitHub(settings.github_url, settings.github_token.get_secret_value(), timeout=settings.request_seconds)


def _argocd(settings: Settings) -> ArgoCD | None:
    token = settings.argocd_token.get_secret_value()
    return ArgoCD(settings.argocd_url, token, timeout=settings.request_seconds) if settings.argocd_url else None


def outward_of(record: Record, tools: Tools) -> Outward:
    """The door to the outside."""
    return Outward(record.effects, record.workflows, tools.jira, tools.github, tools.argocd)


def _prometheus(settings: Settings) -> Prometheus | None:
    if not settings.prometheus_url:
        return None
    token = settings.prometheus_token.get_secret_value()
    return Prometheus(settings.prometheus_url, token, timeout=settings.request_seconds)


def _langgraph_server(settings: Settings) -> LangGraphServer | None:
    if not settings.langgraph_url:
        return None
    key = settings.langgraph_key.get_secret_value()
    return LangGraphServer(settings.langgraph_url, key, timeout=settings.request_seconds)


def allowed_by(settings: Settings) -> Allowed:
    """The allow-lists."""
    return Allowed(
        projects=settings.jira_projects,
        repositories=settings.github_repositories,
        namespaces=settings.namespaces,
        applications=settings.argocd_applications,
        host=host_of(settings.github_url),
    )


def soundness_of(settings: Settings, tools: Tools) -> Soundness:
    """The judge of deployments."""
    return Soundness(
        argocd=tools.argocd,
        kubernetes=tools.kubernetes,
        settle=timedelta(seconds=settings.settle_seconds),
        deadline=timedelta(seconds=settings.deployment_seconds),
        poll=timedelta(seconds=settings.poll_seconds),
        github=tools.github,
    )


def sub_states(settings: Settings, record: Record, tools: Tools) -> SubStates:
    """The five sub-states with everything they need."""
    outward = outward_of(record, tools)
    files = CaseFiles(record.artifacts)
    source = SourceReader(tools.github, tools.workspace)
    exclusion = Exclusion(record.locks, outward)
    duplicates = Duplicates(record.workflows, outward)
    reader = ReviewReader(tools.github)
    soundness = soundness_of(settings, tools)
    return SubStates(
        ticket_acceptance=TicketAcceptance(
            jira=tools.jira,
            argocd=tools.argocd,
            outward=outward,
            allowed=allowed_by(settings),
            status_working=settings.jira_status_working,
        ),
        analysis=Analysis(
            kubernetes=tools.kubernetes,
            prometheus=tools.prometheus,
            source=source,
            files=files,
            root_cause=RootCauseAgent(tools.model, settings.model_calls),
            workflows=record.workflows,
            outward=outward,
            fix_threshold=settings.fix_threshold,
        ),
        remediation=Remediation(
            source=source,
            sandbox=tools.sandbox,
            files=files,
            fix_agent=FixAgent(tools.model, settings.model_calls),
            exclusion=exclusion,
            outward=outward,
            forbidden_paths=settings.forbidden_paths,
            fix_rounds=settings.fix_rounds,
        ),
        review=Review(reader=reader, outward=outward, duplicates=duplicates),
        deployment=Deployment(
            reader=reader,
            argocd=tools.argocd,
            soundness=soundness,
            rollback=Rollback(soundness, files, outward, settings.rollback),
            files=files,
            exclusion=exclusion,
            merge_queue=MergeQueue(source, tools.sandbox, files, settings.forbidden_paths),
            outward=outward,
            duplicates=duplicates,
            status_done=settings.jira_status_done,
        ),
    )
