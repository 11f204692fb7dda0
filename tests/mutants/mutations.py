"""Small faults that somebody could have written: one place of a module's source changed at a time.

The operators are those of the usual tools: comparisons, arithmetic, logic and constants by their neighbours, conditions
turned round, a statement or a value left out. What only declares (annotations, decorators, `__all__`), what is said to
people when something is refused (the texts of a `raise`), and asserts, on which no user relies, stay as they are.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Mutant", "mutants"]

COMPARED: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: (r"\bis\b", "is not"),
    ast.IsNot: (r"\bis\s+not\b", "is"),
    ast.In: (r"\bin\b", "not in"),
    ast.NotIn: (r"\bnot\s+in\b", "in"),
}
COUNTED: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: (r"\+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: (r"\*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "*"),
    ast.Pow: (r"\*\*", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: (r"\|", "&"),
    ast.BitXor: (r"\^", "&"),
}
"""What stands between two operands, as a pattern, and what could stand there instead."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of one place.

    Attributes:
        path: Of the module, from the top of the tree.
        function: The outermost function that it is in; "" where it is run by the import.
        lines: The first and the last line of the place, and before them the line its statement begins in.
        start, end: Bytes of the source that give way.
        text: What stands there instead.
    """

    path: str
    function: str
    lines: tuple[int, int, int]
    start: int
    end: int
    text: str

    def changed(self, source: str) -> str:
        """The module's source with the fault."""
        whole = source.encode()
        return (whole[: self.start] + self.text.encode() + whole[self.end :]).decode()

    def told(self, source: str) -> str:
        """The place as it is and as it becomes, in one line: what names the mutant, wherever its line moves to."""
        whole = source.encode()
        first = whole.rfind(b"\n", 0, self.start) + 1
        last = whole.find(b"\n", self.end)
        was = whole[first:last].decode()
        now = (whole[first : self.start] + self.text.encode() + whole[self.end : last]).decode()
        return f"{self.path} {self.function or '(import)'}: {_flat(was)}  ->  {_flat(now)}"


def mutants(path: str, source: str) -> list[Mutant]:
    """All mutants of a module, from its first line to its last; some may not compile."""
    return list(_Finder(path, source).module())


def _flat(text: str) -> str:
    return " ".join(text.split())


class _Finder:
    def __init__(self, path: str, source: str) -> None:
        self._path = path
        self._tree = ast.parse(source)
        self._bytes = source.encode()
        self._begins = [0]
        for line in self._bytes.splitlines(keepends=True):
            self._begins.append(self._begins[-1] + len(line))
        self._names: list[str] = []
        self._function = ""
        self._statement: ast.stmt | None = None

    def module(self) -> Iterator[Mutant]:
        for statement in self._tree.body:
            yield from self._visit(statement)

    def _visit(self, node: ast.AST) -> Iterator[Mutant]:
        if isinstance(node, ast.stmt):
            outer, self._statement = self._statement, node
            yield from self._of_statement(node)
            self._statement = outer
        elif not isinstance(node, ast.JoinedStr):  # Python 3.11 does not say where the parts of one are
            yield from self._of_expression(node)
            yield from self._inside(node)

    def _inside(self, node: ast.AST, *skipped: str) -> Iterator[Mutant]:
        for name, value in ast.iter_fields(node):
            if name in skipped:
                continue
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, ast.AST):
                    yield from self._visit(one)

    # Statements

    def _of_statement(self, node: ast.stmt) -> Iterator[Mutant]:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from self._of_function(node)
            case ast.ClassDef():
                self._names.append(node.name)
                for one in _without_docstring(node.body):
                    yield from self._visit(one)
                self._names.pop()
            case ast.Assert() | ast.Import() | ast.ImportFrom():
                pass
            case ast.Raise():
                yield self._instead(node, "pass")
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                pass
            case ast.If(test=test) | ast.While(test=test):
                yield from self._turned(test)
                yield from self._inside(node)
            case ast.Return(value=ast.expr() as value):
                if not isinstance(value, ast.Constant):
                    yield self._instead(value, "None")
                yield from self._visit(value)
            case ast.Break():
                yield self._instead(node, "continue")
            case ast.Continue():
                yield self._instead(node, "break")
            case _:
                yield from self._of_simple_statement(node)

    def _of_simple_statement(self, node: ast.stmt) -> Iterator[Mutant]:
        match node:
            case ast.Expr(value=ast.Constant()):
                pass  # a docstring
            case ast.Expr(value=ast.Call() as call):
                yield self._instead(node, "pass")
                yield from self._inside(call)
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                pass
            case ast.Assign(value=value):
                if not isinstance(value, ast.Constant):
                    yield self._instead(value, "None")
                yield from self._inside(node, "targets")
            case ast.AnnAssign(value=value):
                if value is not None:
                    yield from self._visit(value)
            case ast.AugAssign(op=op):
                yield from self._between(node.target, node.value, *COUNTED[type(op)])
                yield from self._visit(node.value)
            case _:
                yield from self._inside(node)

    def _of_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Mutant]:
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                yield from self._visit(default)
        outer = self._function
        self._function = outer or ".".join([*self._names, node.name])
        names, self._names = self._names, []
        for one in _without_docstring(node.body):
            yield from self._visit(one)
        self._function, self._names = outer, names

    # Expressions

    def _of_expression(self, node: ast.AST) -> Iterator[Mutant]:
        match node:
            case ast.Compare(left=left, ops=ops, comparators=others):
                operands = [left, *others]
                for number, op in enumerate(ops):
                    yield from self._between(operands[number], operands[number + 1], *COMPARED[type(op)])
            case ast.BoolOp(op=op, values=values):
                was, now = (r"\band\b", "or") if isinstance(op, ast.And) else (r"\bor\b", "and")
                for left, right in pairwise(values):
                    yield from self._between(left, right, was, now)
            case ast.BinOp(left=left, op=op, right=right):
                yield from self._between(left, right, *COUNTED[type(op)])
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
                yield self._instead(node, f"({self._text(operand)})")
            case ast.IfExp(test=test):
                yield from self._turned(test)
            case ast.comprehension(ifs=ifs):
                for test in ifs:
                    yield from self._turned(test)
            case ast.Constant(value=value):
                yield from self._of_constant(node, value)
            case _:
                pass

    def _of_constant(self, node: ast.Constant, value: object) -> Iterator[Mutant]:
        match value:
            case bool():
                yield self._instead(node, str(not value))
            case int() | float():
                yield self._instead(node, repr(value + 1))
            case str() if not isinstance(self._statement, ast.Raise):
                yield self._instead(node, repr(f"XX{value}"))
            case bytes():
                yield self._instead(node, repr(b"XX" + value))
            case _:
                pass

    def _turned(self, test: ast.expr) -> Iterator[Mutant]:
        """The condition the other way round, unless one of its operators is what turns it."""
        match test:
            case ast.Constant() | ast.UnaryOp(op=ast.Not()):
                return
            case ast.Compare(ops=[ast.Eq() | ast.NotEq() | ast.Is() | ast.IsNot() | ast.In() | ast.NotIn()]):
                return
            case _:
                yield self._instead(test, f"(not ({self._text(test)}))")

    # Places

    def _between(self, left: ast.expr, right: ast.expr, was: str, now: str) -> Iterator[Mutant]:
        begin, end = self._place(left)[1], self._place(right)[0]
        between = self._bytes[begin:end].decode()
        found = re.sub(was, lambda _: now, between, count=1)
        if found != between:
            yield self._mutant(left, right, begin, end, found)

    def _instead(self, node: ast.stmt | ast.expr, text: str) -> Mutant:
        return self._mutant(node, node, *self._place(node), text)

    def _mutant(self, first: ast.stmt | ast.expr, last: ast.stmt | ast.expr, start: int, end: int, text: str) -> Mutant:
        assert self._statement is not None
        lines = (self._statement.lineno, first.lineno, last.end_lineno or last.lineno)
        return Mutant(self._path, self._function, lines, start, end, text)

    def _place(self, node: ast.stmt | ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._begins[node.lineno - 1] + node.col_offset, self._begins[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.expr) -> str:
        start, end = self._place(node)
        return self._bytes[start:end].decode()


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return body[1:]
    return body
