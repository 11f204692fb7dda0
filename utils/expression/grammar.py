"""The small grammar of `compare` rules and of conditions on events: text in, checked tree out; nothing is evaluated.

    expression := conjunction { "or" conjunction }
    conjunction := negation { "and" negation }
    negation := "not" negation | comparison
    comparison := sum [ ("<" | "<=" | ">" | ">=" | "==" | "=" | "!=" | "<>") sum ]
    sum := product { ("+" | "-") product }
    product := signed { ("*" | "/") signed }
    signed := "-" signed | value
    value := NUMBER | 'TEXT' | DATE | true | false | COLUMN | FUNCTION "(" expression ")" | "(" expression ")"

A date is `2026-01-31` or `2026-01-31T12:00:00Z`; a column whose name is no plain word stands in backticks, as in
`` `Order ID` ``. Unknown is unknown: as in SQL, a comparison with a null is neither true nor false, and a row is broken
only when the whole is false.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Literal as OneOf

from utils.expression.words import ExpressionError, Token, tokens

__all__ = [
    "Call",
    "Column",
    "ExpressionError",
    "Kind",
    "Literal",
    "Node",
    "Parser",
    "check",
    "columns_of",
    "moment_of",
    "parse_expression",
    "worded",
]

Kind = OneOf["number", "text", "boolean", "time", "any"]
"""What a part of an expression is; `any`: a column whose type is not known yet."""

FUNCTIONS: dict[str, tuple[Kind, Kind]] = {
    "len": ("text", "number"),
    "lower": ("text", "text"),
    "upper": ("text", "text"),
    "abs": ("number", "number"),
    "year": ("time", "number"),
    "is_null": ("any", "boolean"),
}
"""Function -> what it takes, what it gives."""

MAX_DEPTH = 30
MOST_DIGITS = 100
"""Signs of a number: no column holds one with more than 76 digits."""
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_SPELLED = {"=": "==", "<>": "!="}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written: int, Decimal, str, bool, or an aware UTC datetime."""

    value: int | Decimal | str | bool | datetime
    position: int


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """An operator, `and`, `or`, `not`, `negate`, or a function, applied to parts."""

    op: str
    parts: tuple["Node", ...]
    position: int


Node = Literal | Column | Call


@lru_cache(maxsize=1024)
def parse_expression(text: str) -> Node:
    """The tree of an expression that is true or false for a row and names at least one column.

    Raises:
        ExpressionError: what is wrong and where, types included as far as they can be known without the data.
    """
    node = Parser(text).whole()
    if check(node, lambda _name: "any", text) not in {"boolean", "any"}:
        raise ExpressionError(text, node.position, "the whole must be true or false, such as `a <= b`; this is not")
    if not columns_of(node):
        raise ExpressionError(text, node.position, "the expression names no column")
    return node


def columns_of(node: Node) -> tuple[str, ...]:
    """Names of the columns in a tree, each once, in order of appearance."""
    if isinstance(node, Column):
        return (node.name,)
    if isinstance(node, Literal):
        return ()
    return tuple(dict.fromkeys(name for part in node.parts for name in columns_of(part)))


def worded(node: Node) -> str:
    """One text for all spellings of a tree, in which every part stands in brackets."""
    if isinstance(node, Literal):
        return repr(node.value)
    if isinstance(node, Column):
        return f"`{node.name}`"
    return f"{node.op}({', '.join(map(worded, node.parts))})"


def check(node: Node, type_of: Callable[[str], Kind], text: str) -> Kind:
    """What a tree gives when `type_of` tells what its columns are.

    Raises:
        ExpressionError: a part is not what its place needs.
    """
    if isinstance(node, Literal):
        return _literal_kind(node.value)
    if isinstance(node, Column):
        return type_of(node.name)
    kinds = [check(part, type_of, text) for part in node.parts]
    if node.op in COMPARISONS:
        return _comparison(node, kinds, text)
    takes, gives = FUNCTIONS.get(node.op) or ("boolean", "boolean")
    if node.op in {"+", "-", "*", "/", "negate"}:
        takes, gives = "number", "number"
    for part, kind in zip(node.parts, kinds, strict=True):
        if takes != "any" and kind not in {takes, "any"}:
            name = "-" if node.op == "negate" else node.op
            raise ExpressionError(text, part.position, f"`{name}` needs {A[takes]}, this is {A[kind]}")
    return gives


A: dict[Kind, str] = {
    "number": "a number",
    "text": "text",
    "boolean": "something true or false",
    "time": "a time",
    "any": "something",
}


def _literal_kind(value: object) -> Kind:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "text"
    return "time" if isinstance(value, datetime) else "number"


def _comparison(node: Call, kinds: list[Kind], text: str) -> Kind:
    left, right = kinds
    if left == right == "boolean" and node.op not in {"==", "!="}:
        raise ExpressionError(text, node.position, f"`{node.op}` cannot order true and false")
    if left != right and "any" not in kinds and not _is_quoted_time(node, kinds):
        raise ExpressionError(text, node.position, f"`{node.op}` cannot compare {A[left]} with {A[right]}")
    return "boolean"


def _is_quoted_time(node: Call, kinds: list[Kind]) -> bool:
    """`created <= '2026-01-31'`: quoted text beside a time is read as a time."""
    if sorted(kinds) != ["text", "time"]:
        return False
    text = node.parts[kinds.index("text")]
    return isinstance(text, Literal) and moment_of(str(text.value)) is not None


def moment_of(text: str) -> datetime | None:
    """An aware UTC moment from ISO 8601 text; naive means UTC; None when it is none."""
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # overflow: a zone takes it out of the years 1 to 9999
        return None


class Parser:
    """Recursive descent, one method a line of the grammar."""

    functions: Sequence[str] = tuple(FUNCTIONS)

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._either()
        token = self._tokens[self._at]
        if token.kind != "end":
            raise self._unexpected(token, "an operator or the end")
        return node

    def _take(self, *signs: str) -> Token | None:
        token = self._tokens[self._at]
        word = token.text.lower() if token.kind == "word" else token.text
        if token.kind in {"sign", "word"} and word in signs:
            self._at += 1
            return token
        return None

    def _unexpected(self, token: Token, wanted: str) -> ExpressionError:
        came = "unexpected end" if token.kind == "end" else f"unexpected {token.shown()}"
        return ExpressionError(self._text, token.position, f"{came}, {wanted} should stand here")

    def _either(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(self._text, self._tokens[self._at].position, f"nested deeper than {MAX_DEPTH}")
        node = self._chain(self._both, "or")
        self._depth -= 1
        return node

    def _both(self) -> Node:
        return self._chain(self._negation, "and")

    def _negation(self) -> Node:
        return self._prefixed(self._comparison, "not", "not")

    def _comparison(self) -> Node:
        left = self._sum()
        signs = (*COMPARISONS, *_SPELLED)
        token = self._take(*signs)
        if token is None:
            return left
        node = Call(_SPELLED.get(token.text, token.text), (left, self._sum()), token.position)
        if again := self._take(*signs):
            raise ExpressionError(self._text, again.position, "comparisons do not chain; write `a < b and b < c`")
        return node

    def _sum(self) -> Node:
        return self._chain(self._product, "+", "-")

    def _product(self) -> Node:
        return self._chain(self._signed, "*", "/")

    def _chain(self, part: Callable[[], Node], *signs: str) -> Node:
        """`part { sign part }`, grouped from the left."""
        node = part()
        while token := self._take(*signs):
            node = Call(token.text.lower(), (node, part()), token.position)
        return node

    def _signed(self) -> Node:
        return self._prefixed(self._value, "-", "negate")

    def _prefixed(self, part: Callable[[], Node], sign: str, op: str) -> Node:
        """`{ sign } part`"""
        signs = []
        while token := self._take(sign):
            signs.append(token)
        node = part()
        for token in reversed(signs):
            node = Call(op, (node,), token.position)
        return node

    def _value(self) -> Node:
        token = self._tokens[self._at]
        self._at += 1
        if token.kind == "sign" and token.text == "(":
            node = self._either()
            self._close()
            return node
        if token.kind == "number":
            if len(token.text) > MOST_DIGITS:
                raise ExpressionError(self._text, token.position, f"a number has at most {MOST_DIGITS} signs")
            whole = token.text.isdigit()
            return Literal(int(token.text) if whole else Decimal(token.text), token.position)
        if token.kind == "text":
            return Literal(token.text.replace("''", "'"), token.position)
        if token.kind == "date":
            found = moment_of(token.text)
            if found is None:
                raise ExpressionError(self._text, token.position, f"`{token.text}` is no date")
            return Literal(found, token.position)
        if token.kind == "quoted":
            return Column(token.text, token.position)
        if token.kind == "word":
            return self._word(token)
        raise self._unexpected(token, "a column, a number, 'text', a date or `(`")

    def _word(self, token: Token) -> Node:
        if self._take("("):
            return self._call(token)
        if token.text.lower() in {"true", "false"}:
            return Literal(token.text.lower() == "true", token.position)
        if token.text.lower() in {"and", "or", "not"}:
            raise self._unexpected(token, "a column, a number, 'text', a date or `(`")
        return Column(token.text, token.position)

    def _call(self, name: Token) -> Node:
        """What stands behind the bracket of a function, up to the closing one."""
        if name.text not in FUNCTIONS:
            known = ", ".join(self.functions)
            raise ExpressionError(self._text, name.position, f"unknown function `{name.text}` (known: {known})")
        part = self._either()
        self._close()
        return Call(name.text, (part,), name.position)

    def _close(self) -> None:
        if not self._take(")"):
            raise self._unexpected(self._tokens[self._at], "`)`")
