"""Habits of the code base that a reader may rely on, held by reading the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_cellsci

PACKAGE = Path(napari_cellsci.__file__).parent
SOURCES = [f for f in sorted(PACKAGE.rglob("*.py")) if f.name != "_version.py"]
LONGEST_MODULE = 500
LONGEST_FUNCTION = 80


def name_of(source: Path) -> str:
    """Return a readable test id."""
    return source.relative_to(PACKAGE).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function definition."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines(node: ast.stmt) -> int:
    """Return how many lines a statement fills."""
    return (node.end_lineno or 0) - node.lineno + 1


def lines_of_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many of a function's lines explain it."""
    return lines(function.body[0]) if ast.get_docstring(function) else 0


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_modules_and_functions_stay_short(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_MODULE
    for function in functions(ast.parse(text)):
        length = lines(function) - lines_of_docstring(function)
        assert length <= LONGEST_FUNCTION, f"{function.name} has {length} lines"


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_every_function_says_what_it_returns(source: Path) -> None:
    for function in functions(ast.parse(source.read_text(encoding="utf-8"))):
        assert function.returns is not None, function.name


def is_connect(node: ast.AST) -> bool:
    """Say whether `node` connects a slot to a signal."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "connect"
    )


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_no_slot_is_a_closure(source: Path) -> None:
    # A lambda or partial keeps its panel alive after the dock is closed.
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if not is_connect(node):
            continue
        for argument in node.args:
            named = ast.unparse(argument)
            assert not isinstance(argument, ast.Lambda), f"line {argument.lineno}"
            assert not named.startswith(("partial(", "functools.partial(")), named


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_no_pickle_is_ever_loaded(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    for word in ("import pickle", "joblib", "torch.load(", "allow_pickle=True"):
        assert word not in text
