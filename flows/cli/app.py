"""The app itself: global options, output as text or JSON, errors as one sentence.

Not here: the commands.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from fsm_core.errors import HubError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Synchronise field service between CRM, ERP and CMMS.",
)


@dataclass
class Terminal:
    """Where answers go, and the options every command shares."""

    config: Path = Path("hub.toml")
    json: bool = False
    actor: str = ""
    """Whom the local user says it is; good only where nobody logs in."""
    console: Console = Console(highlight=False)  # noqa: RUF009 - one terminal, shared on purpose
    errors: Console = Console(stderr=True, highlight=False)  # noqa: RUF009 - as above

    def say(self, text: str = "") -> None:
        """A line for people; nothing in JSON mode."""
        if not self.json:
            self.console.print(text)

    def answer(self, value: Any) -> bool:  # noqa: ANN401 - any JSON value or dataclass
        """Print `value` as JSON if asked for; tells whether it did."""
        if self.json:
            print(orjson.dumps(plain(value), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())  # noqa: T201 - the answer itself
        return self.json

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A table for people; of nothing, its title."""
        rows = list(rows)
        if not rows:
            if title:
                self.console.print(title)
            return
        made = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
        for column in columns:
            made.add_column(column, overflow="fold")
        for row in rows:
            made.add_row(*[shown(cell) for cell in row])
        self.console.print(made)

    def entries(self, title: str, rows: Iterable[tuple[str, Sequence[str]]]) -> None:
        """A list whose entries are sentences: a first line with the id, the rest below it, at any width."""
        if title:
            self.say(title)
        for head, lines in rows:
            self.say(head)
            for line in lines:
                if line and not self.json:
                    self.console.print(Padding(line, (0, 0, 0, 2)))


terminal = Terminal()


@app.callback()
def options(
    config: Annotated[Path, typer.Option("--config", "-c", envvar="FSM_HUB_CONFIG", help="Settings file.")] = Path(
        "hub.toml"
    ),
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,  # noqa: FBT002 - a switch
    actor: Annotated[
        str,
        typer.Option(
            "--as", envvar="FSM_HUB_USER", help="Who decides, on a hub without an admin; default: the login name."
        ),
    ] = "",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every call (never values).")] = False,  # noqa: FBT002 - a switch
) -> None:
    """Options that come before the command."""
    terminal.config, terminal.json, terminal.actor = config, json, actor
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING, format="%(levelname)s %(name)s %(message)s"
    )
    for noisy in ("httpx", "httpcore", "urllib3", "pyodata"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def told(program: typer.Typer) -> int:
    """Run and return the exit code: 0 done, 1 an error of the hub, 2 wrong usage."""
    try:
        program()
    except HubError as error:
        return _fail(str(error), 1)
    except OSError as error:
        return _fail(f"{error.filename or 'this machine'}: {error.strerror or error} - {MACHINE}", 1)
    except Exception as error:
        if (why := _of_database(error)) is None:
            raise
        return _fail(f"the database: {why} - {DATABASE}", 1)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


MACHINE = "Look at the path, its rights and the space that is left, then say it again."
DATABASE = "See 'database' in hub.toml, and whether it answers and may be written to; then say it again."


def _of_database(error: Exception) -> str | None:
    """What a database said, without the statement and its values; None when it was not the database."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - commands start fast

    if not isinstance(error, SQLAlchemyError):
        return None
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def _fail(message: str, code: int) -> int:
    if terminal.json:
        print(orjson.dumps({"error": message}).decode())  # noqa: T201 - the answer itself
    else:
        terminal.errors.print(f"[bold red]error:[/] {escape(message)}", highlight=False)
    return code


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value or dataclass
    """Dataclasses as dictionaries, sets and tuples as lists, paths as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return str(value) if isinstance(value, Path | HubError) else value


def shown(value: Any) -> str:  # noqa: ANN401 - any canonical value
    """A value as a person reads it."""
    if value in (None, "", [], {}):
        return "∅"
    match value:
        case bool():
            return "yes" if value else "no"
        case {"street": _}:
            return escape(_address(value))
        case dict():
            return escape(", ".join(str(part) for part in value.values() if part not in (None, "")))
        case list() | tuple():
            return ", ".join(shown(part) for part in value)
    return escape(str(value))


def _address(value: dict[str, Any]) -> str:
    lines = (("street", "number"), ("extra",), ("postcode", "city"), ("region",), ("country",))
    told = (" ".join(str(value[name]) for name in names if value.get(name)) for names in lines)
    return ", ".join(line for line in told if line)
