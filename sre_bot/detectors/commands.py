"""What shells, interpreters and programs say of a command line that they cannot run: the word that they reject.

One list for the words of programs that know their options (getopt, Go's flag and pflag, argparse, click, clap,
commander, the JVM), one for those of interpreters that do not find what they shall run.
"""

import re

_KINDS = r"(?:flag|option|argument|switch|parameter|command|subcommand|sub-command)s?"
_UNKNOWN = (
    re.compile(
        r"\b(?:unknown|unrecogni[sz]ed|unexpected|invalid|no such|unsupported|illegal|bad|undefined)"
        rf" (?:\w+[ -])?{_KINDS}\b(?: in| provided but not defined)?[\s:=(]*[\"'`]?(-{{0,2}}\w[\w.:/-]*)",
        re.IGNORECASE,
    ),
    re.compile(r"(?:flag|option) provided but not defined: (-[\w.-]+)", re.IGNORECASE),
    re.compile(r"Found argument '([^']+)' which"),
    re.compile(r"Command [\"'`]([\w:.-]+)[\"'`] is not defined"),
    re.compile(r"Don't know how to build task '([^']+)'"),
)
_NOT_FOUND = (
    re.compile(
        r"(?:(?:sh|bash|ash|dash|zsh|env|exec):|line \d+:|: \d+:) *"
        r"[\"'\u2018]?([^\s:\"'\u2019]+)[\"'\u2019]?: (?:command )?not found"
    ),
    re.compile(
        r"(?:sh|bash|ash|dash|zsh|env|exec)(?:: line \d+|: \d+)?: [\"'\u2018]?([^\s:\"'\u2019]+)[\"'\u2019]?: "
        r"(?:No such file|not found|Permission denied|command not found|cannot execute|Is a directory)",
        re.IGNORECASE,
    ),
    re.compile(r"can't open (?:file )?'([^']+)'"),
    re.compile(r"Cannot find (?:module|package) '([^']+)'"),
    re.compile(r"Unable to access jarfile (\S+)"),
    re.compile(r"no such file or directory(?:: '?| -- | @ rb_sysopen - )([^'\s]+)", re.IGNORECASE),
    re.compile(r"Could not find or load main class (\S+)"),
    re.compile(r"No module named ['\"]?([\w.]+)"),
    re.compile(r"Could not open input file: (\S+)"),
    re.compile(r"Failed to find (?:attribute|application object) '([^']+)'"),
    re.compile(r"application to execute does not exist: '([^']+)'"),
    re.compile(r"Could not import module \"([^\"]+)\""),
    re.compile(r"Missing script: \"?([\w:.-]+)"),
    re.compile(r"script [\"']([^\"']+)[\"'] not found", re.IGNORECASE),
    re.compile(r"No rule to make target [`']([^']+)'"),
    re.compile(r"Task '([^']+)' not found"),
    re.compile(r"(?<![\w./-])([\w./-]{1,300}): (?:command )?not found$"),
)
_SHELL_SYNTAX = re.compile(
    r"\b(?:sh|bash|ash|dash)\b[^\n]{0,60}(?:syntax error|unexpected (?:EOF|end of file)|unterminated quoted string)",
    re.I,
)


def unknown_word(line: str) -> str:
    """The option, argument or sub-command that a program says it does not know; empty where it says nothing of it."""
    return _first(_UNKNOWN, line)


def unfound_word(line: str) -> str:
    """What a shell or an interpreter was to run and does not find; empty where it says nothing of it."""
    return _first(_NOT_FOUND, line)


def is_shell_syntax(line: str) -> bool:
    """Whether a shell cannot read its script."""
    return _SHELL_SYNTAX.search(line) is not None


def _first(patterns: tuple[re.Pattern[str], ...], line: str) -> str:
    return next((match[1].rstrip(".,;") for pattern in patterns if (match := pattern.search(line))), "")
