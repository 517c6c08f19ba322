"""``sre-bot``: one command line for everything."""

import logging
import sys

import psycopg
import typer

from sre_bot.cli import (
    backups,
    controlling,
    demo,
    diagram,
    doctor,
    evaluating,
    holdings,
    labs,
    looking,
    proving,
    running,
)
from sre_bot.cli.output import complain
from sre_bot.domain.errors import BadInput, SreBotError, WorkflowExists, WorkflowNotFound

app = typer.Typer(
    name="sre-bot",
    help="An autonomous SRE: takes a Jira ticket, finds the cause, proposes the fix, deploys what people approve.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo.demo)
app.command()(running.run)
app.command()(running.serve)
app.command()(looking.status)
app.command()(looking.show)
app.command()(looking.timeline)
app.command()(proving.verify)
app.command()(proving.replay)
app.command()(proving.audit)
app.command()(holdings.locks)
app.command()(holdings.effects)
app.command()(controlling.retry)
app.command()(controlling.cancel)
app.command()(controlling.recover)
app.command()(controlling.pause)
app.command()(controlling.resume)
app.add_typer(backups.app, name="backup")
app.add_typer(labs.app, name="lab")
app.command(name="eval")(evaluating.evaluate)
app.command()(running.migrate)
app.command()(diagram.graph)
app.command()(diagram.settings)
app.command()(doctor.doctor)


def main() -> None:
    """Run the command; every named error becomes one sentence and an exit code, never a traceback.

    0 done, 1 failed, 2 bad input, 3 the ticket already has a live workflow, 130 interrupted.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        code = app(standalone_mode=False)
        return code if isinstance(code, int) else 0
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except typer.TyperException as error:
        if said := error.format_message():  # empty where the help was printed instead
            complain(said)
        return error.exit_code
    except WorkflowExists as error:
        complain(error)
        return 3
    except (BadInput, WorkflowNotFound) as error:
        complain(error)
        return 2
    except (SreBotError, psycopg.Error, OSError) as error:
        complain(error)
        return 1
