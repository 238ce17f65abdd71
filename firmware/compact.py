"""Shortens the private names of the firmware, and those of arguments, before it is compiled, so
that files share them, and leaves out what only the compiler needs.

MicroPython keeps every name that it has ever loaded, in tables that double: the one for the 640
after the first 630 takes 7 KiB of heap in one piece. Private names (one leading underscore) are
nobody's business outside, so those that never meet in one file can be called alike. It knows
Python's tokens and nothing of boards.
"""

import ast
import builtins
import io
import keyword
import re
import string
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# The compiler puts constants in their places: imported, the name would take room in each module.
_IMPORT_OF_CONST = re.compile(r"^from micropython import const$", re.MULTILINE)
# What only mypy reads: the node has no such modules, and drops annotations unread.
_IMPORTS_OF_TYPES = re.compile(
    r"^TYPE_CHECKING = False\nif TYPE_CHECKING:\n(?:(?: {4}.*)?\n)+", re.MULTILINE
)

Sources = Mapping[Path, str]
"""Text by path; the paths are relative to the folder that modules are imported from."""


def compact(sources: Sources) -> dict[Path, str]:
    """The same modules, private names shortened alike wherever they stand. Lines stay where they
    are. A private name in a text (`getattr(x, "_y")`) would not be found: it raises ValueError.
    Arguments keep their names where anything else has the same, or passes them by name.
    """
    sources = {path: _without_imports(text) for path, text in sources.items()}
    used = {path: _private_names(path, text) for path, text in sources.items()}
    trees = [_without_annotations(ast.parse(text)) for text in sources.values()]
    local = _local_names(trees)
    short = _short_names([*_meeting(sources, used), *_meeting_in_functions(trees, local)])
    return {path: _renamed(text, short) for path, text in sources.items()}


def _without_imports(text: str) -> str:
    text = _IMPORT_OF_CONST.sub("", text)
    return _IMPORTS_OF_TYPES.sub(lambda found: "\n" * found[0].count("\n"), text)


def _without_annotations(tree: ast.Module) -> ast.Module:
    """What they name is nothing to the compiler, and nobody's variable."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return tree


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(text).readline)


def _is_private(name: str) -> bool:
    return len(name) > 1 and name.startswith("_") and not name.startswith("__")


def _private_names(path: Path, text: str) -> set[str]:
    names = {token.string for token in _tokens(text) if token.type == tokenize.NAME}
    private = set(filter(_is_private, names))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and node.value in private:
            raise ValueError(f"{path}:{node.lineno}: {node.value!r} is a private name in a text")
    return private


def _meeting(sources: Sources, used: Mapping[Path, set[str]]) -> list[set[str]]:
    """Sets of names that must differ: a file's, with those of the classes it derives from."""
    paths = {".".join(path.with_suffix("").parts): path for path in sources}
    meeting = []
    for path, text in sources.items():
        names = set(used[path])
        for module in _bases(ast.parse(text)):
            if module in paths:
                names |= used[paths[module]]
        meeting.append(names)
    return meeting


def _local_names(trees: Iterable[ast.Module]) -> set[str]:
    """Names of arguments that nothing but arguments and variables of functions has."""
    arguments: set[str] = set()
    others: set[str] = set(dir(builtins))
    for tree in trees:
        for node in ast.walk(tree):
            match node:
                case ast.arg(arg=name):
                    arguments.add(name)
                case ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                    others.add(name)
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    others.add(node.name)
                case ast.alias():
                    others.update(node.name.split("."), [node.asname or node.name])
                case ast.ImportFrom(module=str(module)):
                    others.update(module.split("."))
                case ast.Global() | ast.Nonlocal():
                    others.update(node.names)
                case ast.Constant(value=str(text)):
                    others.add(text)
        others |= _names_outside_functions(tree)
    return {name for name in arguments - others if not name.startswith("_")}


def _names_outside_functions(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            names |= _names_outside_functions(node)
    return names


def _meeting_in_functions(trees: Iterable[ast.Module], local: set[str]) -> Iterator[set[str]]:
    """Of each function those names that must differ: attributes are apart from variables. The
    compiler puts constants in for their names all over the file, so these meet all of them.
    """
    for tree in trees:
        top = {name for name in _names_outside_functions(tree) if _is_private(name)}
        for node in ast.walk(tree):
            name = getattr(node, "arg", getattr(node, "id", None))
            if name in local:
                yield {name, *top}
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
                names |= {inner.arg for inner in ast.walk(node) if isinstance(inner, ast.arg)}
                yield {name for name in names if name in local or _is_private(name)}


def _bases(tree: ast.Module) -> Iterator[str]:
    """Modules whose classes this one derives from."""
    origin = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                origin[alias.asname or alias.name] = node.module
        elif isinstance(node, ast.Import):
            for alias in node.names:
                origin[alias.asname or alias.name] = alias.name
    for node in ast.walk(tree):
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            root = base.value if isinstance(base, ast.Attribute) else base
            if isinstance(root, ast.Name) and root.id in origin:
                yield origin[root.id]


def _short_names(meeting: Iterable[set[str]]) -> dict[str, str]:
    """Each name's short one: those that meet differ, as few as possible in all."""
    neighbours: dict[str, set[str]] = defaultdict(set)
    for names in meeting:
        for name in names:
            neighbours[name] |= names
    short: dict[str, str] = {}
    for name in sorted(neighbours, key=lambda name: (-len(neighbours[name]), name)):
        taken = {short[other] for other in neighbours[name] if other in short}
        short[name] = next(candidate for candidate in _candidates() if candidate not in taken)
    return short


def _candidates() -> Iterator[str]:
    for first in ["", *string.ascii_lowercase]:
        for last in string.ascii_lowercase:
            if not keyword.iskeyword(first + last):
                yield f"_{first}{last}"


def _renamed(text: str, short: Mapping[str, str]) -> str:
    lines = text.splitlines(keepends=True)
    for token in reversed(list(_tokens(text))):
        if token.type == tokenize.NAME and token.string in short:
            row, column = token.start[0] - 1, token.start[1]
            line = lines[row]
            lines[row] = line[:column] + short[token.string] + line[column + len(token.string) :]
    return "".join(lines)
