"""Every command on the pages exists, with the options and the arguments it is shown with."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from flows.cli import app
from tests.docs.pages import ROOT, code_lines, name, pages

COMMAND = re.compile(r"^(?:\S*/)?fsm-hub(?:\s|$)")
ROOT_COMMAND: Any = typer.main.get_command(app)


def commands(page: Path) -> list[str]:
    return [line for line in code_lines(page) if COMMAND.match(line)]


@pytest.mark.parametrize("page", [p for p in pages() if commands(p)], ids=name)
def test_commands_exist_as_shown(page: Path) -> None:
    assert not [f"{line}: {fault}" for line in commands(page) if (fault := _fault(line))]


def test_the_readme_lists_every_command() -> None:
    text = "\n".join(line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if "| `" in line)
    missing = [path for path in _leaves(ROOT_COMMAND, ()) if not _listed(path, text)]
    assert not missing


@pytest.mark.parametrize("page", pages(), ids=name)
def test_make_targets_exist(page: Path) -> None:
    known = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = {word for line in code_lines(page) if (word := _target(line))}
    assert shown <= known


def _fault(line: str) -> str:
    """Why the line would be refused, or ""."""
    words = shlex.split(line, comments=True)[1:]
    command, positional = ROOT_COMMAND, 0
    while words:
        word = words.pop(0)
        if word in {"…", "|", "&&"}:
            break
        if word.startswith("-") and word != "-":
            option = _option(command, word.partition("=")[0])
            if option is None:
                return f"{command.name or 'fsm-hub'} has no option {word}"
            if not option.is_flag and "=" not in word and word != "--help" and words:
                words.pop(0)
        elif _commands(command):
            if word not in _commands(command):
                return f"no command {word!r}; known: {', '.join(_commands(command))}"
            command = _commands(command)[word]
        else:
            positional += 1
    return _arguments_fault(command, positional)


def _arguments_fault(command: Any, given: int) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    if any(argument.nargs < 0 for argument in arguments):
        return ""
    return f"takes {len(arguments)} arguments" if given > len(arguments) else ""


def _option(command: Any, word: str) -> Any:
    if word == "--help":
        return command.params[0] if command.params else ROOT_COMMAND.params[0]
    return next((p for p in command.params if word in {*p.opts, *p.secondary_opts}), None)


def _commands(command: Any) -> dict[str, Any]:
    return getattr(command, "commands", {})


def _leaves(command: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    inner = _commands(command)
    return [leaf for key, one in inner.items() for leaf in _leaves(one, (*path, key))] if inner else [path]


def _listed(path: tuple[str, ...], text: str) -> bool:
    rows = [row.split(" | ")[0] for row in text.splitlines() if f"fsm-hub {path[0]}" in row]
    return any(all(re.search(rf"\b{re.escape(word)}\b", row) for word in path) for row in rows)


def _target(line: str) -> str:
    found = re.match(r"make ([a-z][\w-]*)\b(?!\.)", line)
    return found[1] if found else ""
