"""Tells mypy what `seldom.load`, `run` and `wait` give: they name modules and functions in texts,
and with them half of what the node's modules say to each other would go unchecked.

A plugin, as firmware/node/mypy.ini has it. Where a name is no text in the source, the answer is the
`Any` that `seldom` promises.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from mypy.checker import TypeChecker
from mypy.nodes import Expression, FuncDef, MypyFile, StrExpr
from mypy.plugin import AttributeContext, FunctionContext, Plugin
from mypy.types import CallableType, Instance, Type

_NAMED: Final = re.compile(r'seldom\.(?:load|run|wait)\(\s*"([\w.]+)"')
_PRIORITY: Final = 10  # mypy's for a plain import
_ARGUMENTS: Final = 2


class SeldomPlugin(Plugin):
    """Looks up what the texts name, and checks calls as if they were written out."""

    def get_additional_deps(self, file: MypyFile) -> list[tuple[int, str, int]]:
        """The modules named in the texts, to be read before this one is checked."""
        if not file.path.endswith(".py"):
            return []
        return [(_PRIORITY, name, -1) for name in _NAMED.findall(Path(file.path).read_text())]

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Of each of the three functions its hook."""
        return {"seldom.load": _loaded, "seldom.run": _called, "seldom.wait": _called}.get(fullname)

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """For what is taken of a module that was loaded: `ModuleType` itself would give `Any`."""
        owner, _, name = fullname.rpartition(".")
        return partial(_taken, name) if owner == "types.ModuleType" else None


def _module(context: FunctionContext, checker: TypeChecker) -> MypyFile | None:
    name = _text(context.args[0])
    # That there is no such module mypy says of itself.
    return checker.modules.get(name) if name else None


def _text(expressions: list[Expression]) -> str | None:
    first = expressions[0] if expressions else None
    return first.value if isinstance(first, StrExpr) else None


def _loaded(context: FunctionContext) -> Type:
    checker = context.api
    if not isinstance(checker, TypeChecker) or not (module := _module(context, checker)):
        return context.default_return_type
    return checker.expr_checker.module_type(module)


def _taken(name: str, context: AttributeContext) -> Type:
    attributes = context.type.extra_attrs if isinstance(context.type, Instance) else None
    if attributes is None or attributes.mod_name is None:
        return context.default_attr_type
    if name not in attributes.attrs:
        context.api.fail(f'No "{name}" in module "{attributes.mod_name}"', context.context)
    return attributes.attrs.get(name, context.default_attr_type)


def _called(context: FunctionContext) -> Type:
    checker = context.api
    if not isinstance(checker, TypeChecker) or not (module := _module(context, checker)):
        return context.default_return_type
    name = _text(context.args[1])
    found = module.names.get(name) if name else None
    if found is None or not isinstance(found.node, FuncDef):
        context.api.fail(f'No function "{name}" in "{module.fullname}"', context.context)
        return context.default_return_type
    if not isinstance(found.node.type, CallableType):
        return context.default_return_type
    # A starred tuple comes once for each item.
    given = {id(argument): at for at, argument in enumerate(context.args[_ARGUMENTS])}.values()
    return checker.expr_checker.check_call(
        found.node.type,
        [context.args[_ARGUMENTS][at] for at in given],
        [context.arg_kinds[_ARGUMENTS][at] for at in given],
        context.context,
        [context.arg_names[_ARGUMENTS][at] for at in given],
    )[0]


def plugin(_version: str) -> type[Plugin]:
    """What mypy calls."""
    return SeldomPlugin
