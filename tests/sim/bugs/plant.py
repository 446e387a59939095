"""How a bug is planted: a shipped function is replaced, or compiled anew with one fragment written otherwise. Shipped
code knows nothing of it."""

from __future__ import annotations
import __future__

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any
from unittest import mock

from tests.sim.memo import everywhere

Plant = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Bug:
    """`story`: one line. `members`: network sizes at which it may show. `needs`: faults and scripts of a
    seed without all of which nobody would meet it: such a seed is counted, and not played."""

    name: str
    story: str
    plant: Plant
    members: tuple[int, ...] = (4,)
    needs: tuple[str, ...] = ()
    unseen: str = ""
    """Why no seed has shown it yet: what the simulator lacks. Searched for with `--unseen`."""


class GoneError(Exception):
    """Shipped code is written otherwise now: the bug must be written anew."""


def edited(owner: ModuleType | type, name: str, *changes: tuple[str, str]) -> AbstractContextManager[Any]:
    """A function or method of shipped code with fragments of its source replaced: (was, becomes) each."""
    there = inspect.getattr_static(owner, name)
    original: Any = there
    if isinstance(there, cached_property | property):
        original = there.func if isinstance(there, cached_property) else there.fget
    source = textwrap.dedent(inspect.getsource(original))
    for was, becomes in changes:
        if source.count(was) != 1:
            raise GoneError(f"{owner.__name__}.{name} holds {source.count(was)} times: {was}")
        source = source.replace(was, becomes)
    made = _compiled(source, original)
    if isinstance(owner, ModuleType):
        return everywhere(original, made)
    return mock.patch.object(owner, name, property(made) if isinstance(there, cached_property | property) else made)


def _compiled(source: str, original: FunctionType) -> Any:
    body = source[source.index("def ") :]
    code = compile(body, f"<planted in {original.__name__}>", "exec", __future__.annotations.compiler_flag)
    found: dict[str, Any] = {}
    exec(code, original.__globals__, found)
    return found[original.__name__]


def instead(owner: ModuleType | type, name: str, replacement: Any) -> AbstractContextManager[Any]:
    """Another function, property or constant in the place of a shipped one, wherever it is bound by name."""
    original = inspect.getattr_static(owner, name)
    if isinstance(owner, ModuleType) and callable(original):
        return everywhere(original, replacement)
    return mock.patch.object(owner, name, replacement)


@contextmanager
def together(*plants: AbstractContextManager[Any]) -> Iterator[None]:
    """A bug that needs several places: each of them alone would be made good by the other."""
    with ExitStack() as stack:
        for one in plants:
            stack.enter_context(one)
        yield
