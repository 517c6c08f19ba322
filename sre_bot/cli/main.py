"""``sre-bot``: one command line for everything."""

import logging
import sys

import typer

from sre_bot.cli.commands import CommandTable
from sre_bot.cli.exit_codes import FAILED, INTERRUPTED, MEANING, REFUSED, code_of
from sre_bot.cli.output import complain
from sre_bot.domain.errors import SreBotError

FINDINGS = ("diagnose",)
"""Commands whose exit code 2 says that something was found; what they cannot use ends with 1."""

app = typer.Typer(
    name="sre-bot",
    cls=CommandTable,
    no_args_is_help=True,
    epilog=MEANING,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def sre_bot() -> None:
    """An autonomous SRE: takes a Jira ticket, finds the cause, proposes the fix, deploys what people approve."""


def main() -> None:
    """Run the command; every named error becomes one sentence and an exit code (``exit_codes``), never a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns of each retry; the failure itself is named anyway
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        code = app(standalone_mode=False)
        return code if isinstance(code, int) else 0
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except typer.TyperException as error:
        if said := error.format_message():  # empty where the help was printed instead
            complain(said)
        return _said(error.exit_code)
    except (SreBotError, OSError, *_of_the_database()) as error:
        complain(error)
        return _said(code_of(error))


def _said(code: int) -> int:
    return FAILED if code == REFUSED and any(word in FINDINGS for word in sys.argv[1:2]) else code


def _of_the_database() -> tuple[type[Exception], ...]:
    """The database's own errors, looked up only when something has gone wrong: most commands need no database."""
    import psycopg

    return (psycopg.Error,)
