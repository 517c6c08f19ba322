"""The subset of JQL that a ticket queue needs: fields, ``and or not``, lists, ``currentUser()``, ``order by``."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from sre_bot.lab.tickets import Account, Issue

Predicate = Callable[[Issue], bool]
_TOKENS = re.compile(r"""\s*(?:("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(!=|!~|<=|>=|[()=~,<>])|([^\s()=~,<>!"']+))""")
_CATEGORY_NAMES = {"new": ("to do", "new"), "indeterminate": ("in progress", "indeterminate"), "done": ("done",)}


class BadJql(ValueError):
    """A query that this Jira refuses; the message is Jira's."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query, parsed."""

    matches: Predicate
    order: tuple[tuple[str, bool], ...]

    def run(self, issues: list[Issue]) -> list[Issue]:
        """The matching issues in order; by creation, newest first, where the query says nothing."""
        found = [issue for issue in issues if self.matches(issue)]
        for name, descending in reversed(self.order or (("created", True),)):
            found.sort(key=lambda issue: _sort_key(issue, name), reverse=descending)
        return found


def parse(text: str, me: Account) -> Query:
    """Read a query. Raises ``BadJql``."""
    condition, _, order = re.sub(r"\s+", " ", text).partition(_order_by(text))
    return Query(_Parser(_tokens(condition), me).parse(), tuple(_orders(order)))


def _order_by(text: str) -> str:
    found = re.search(r"order by", re.sub(r"\s+", " ", text), re.IGNORECASE)
    return found[0] if found else "\0"


def _orders(text: str) -> list[tuple[str, bool]]:
    orders: list[tuple[str, bool]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = part.partition(" ")
        if name.lower() not in _SORTABLE or direction.lower() not in ("", "asc", "desc"):
            raise BadJql(f"Not able to sort using field '{name}'.")
        orders.append((name.lower(), direction.lower() == "desc"))
    return orders


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    while position < len(text.rstrip()):
        found = _TOKENS.match(text, position)
        if not found:
            raise BadJql(f"Error in the JQL Query: unexpected character at position {position}.")
        tokens.append(found[0].strip())
        position = found.end()
    return tokens


class _Parser:
    """Recursive descent over ``or``, ``and``, ``not``, parentheses and clauses."""

    def __init__(self, tokens: list[str], me: Account) -> None:
        self._tokens = tokens
        self._me = me

    def parse(self) -> Predicate:
        if not self._tokens:
            return lambda _: True
        predicate = self._either()
        if self._tokens:
            raise BadJql(f"Error in the JQL Query: Expecting operator but got '{self._tokens[0]}'.")
        return predicate

    def _either(self) -> Predicate:
        parts = [self._both()]
        while self._taken("or"):
            parts.append(self._both())
        return lambda issue: any(part(issue) for part in parts)

    def _both(self) -> Predicate:
        parts = [self._one()]
        while self._taken("and"):
            parts.append(self._one())
        return lambda issue: all(part(issue) for part in parts)

    def _one(self) -> Predicate:
        if self._taken("not"):
            negated = self._one()
            return lambda issue: not negated(issue)
        if self._taken("("):
            inner = self._either()
            self._expect(")")
            return inner
        return self._clause()

    def _clause(self) -> Predicate:
        name = _unquoted(self._next()).lower()
        if name not in _FIELDS:
            raise BadJql(f"Field '{name}' does not exist or you do not have permission to view it.")
        operator = self._operator()
        wanted = [self._value(name) for _ in "x"] if operator not in ("in", "not in") else self._values(name)
        values = _FIELDS[name]
        positive = operator in ("=", "in", "~", "is")
        if operator in ("~", "!~"):
            return lambda issue: any(w.lower() in v for w in wanted for v in values(issue)) == positive
        return lambda issue: _equal(values(issue), wanted) == positive

    def _operator(self) -> str:
        word = self._next().lower()
        if word in ("is", "not"):
            second = {"is": "not", "not": "in"}[word]
            return f"{word} {second}" if self._taken(second) else word
        if word not in ("=", "!=", "~", "!~", "in"):
            raise BadJql(f"Error in the JQL Query: Expecting operator but got '{word}'.")
        return word

    def _values(self, name: str) -> list[str]:
        self._expect("(")
        wanted = [self._value(name)]
        while self._taken(","):
            wanted.append(self._value(name))
        self._expect(")")
        return wanted

    def _value(self, name: str) -> str:
        token = self._next()
        if token.lower() == "currentuser" and self._taken("("):
            self._expect(")")
            return self._me.identifier.lower()
        value = _unquoted(token).lower()
        empty = token.lower() in ("empty", "null") or (name == "resolution" and value == "unresolved")
        return "" if empty else value

    def _next(self) -> str:
        if not self._tokens:
            raise BadJql("Error in the JQL Query: Expecting a value at the end of the query.")
        return self._tokens.pop(0)

    def _taken(self, word: str) -> bool:
        if self._tokens and self._tokens[0].lower() == word:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._taken(word):
            raise BadJql(f"Error in the JQL Query: Expecting '{word}'.")


def _equal(values: list[str], wanted: list[str]) -> bool:
    return any((not values if want == "" else want in values) for want in wanted)


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1]) if token[:1] in ("'", '"') else token


def _one(value: str | None) -> list[str]:
    return [value.lower()] if value else []


def _person(account: Account | None) -> list[str]:
    return [account.name.lower(), account.account_id.lower(), account.email.lower()] if account else []


_FIELDS: dict[str, Callable[[Issue], list[str]]] = {
    "project": lambda issue: _one(issue.project),
    "key": lambda issue: _one(issue.key),
    "issuekey": lambda issue: _one(issue.key),
    "assignee": lambda issue: _person(issue.assignee),
    "reporter": lambda issue: _person(issue.reporter),
    "status": lambda issue: [issue.status.name.lower(), issue.status.id],
    "statuscategory": lambda issue: list(_CATEGORY_NAMES[issue.status.category]),
    "resolution": lambda issue: _one(issue.resolution),
    "priority": lambda issue: _one(issue.priority),
    "labels": lambda issue: [label.lower() for label in issue.labels],
    "summary": lambda issue: _one(issue.summary),
    "text": lambda issue: [issue.summary.lower(), issue.description.lower()],
}

_PRIORITIES = ("lowest", "low", "medium", "high", "highest")
_SORTABLE = ("created", "updated", "key", "issuekey", "priority", "status", "rank")


def _sort_key(issue: Issue, name: str) -> tuple[float, str]:
    if name in ("created", "updated"):
        return (getattr(issue, name).timestamp(), "")
    if name == "priority":
        known = issue.priority.lower() in _PRIORITIES
        return (_PRIORITIES.index(issue.priority.lower()) if known else 0, "")
    if name == "status":
        return (0, issue.status.name)
    return (float(issue.key.rpartition("-")[2]), issue.project)
