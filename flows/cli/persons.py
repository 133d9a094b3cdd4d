"""Commands about persons: who there is and what they may, log in and out, tokens.

A password is asked for, or read from standard input, a line each; it is never an argument.
Not here: what is done with it (`fsm_core.persons`).
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import session
from flows.cli.app import app, terminal
from flows.cli.who import entered, login_name
from fsm_core.persons.rights import Act, roles_of

if TYPE_CHECKING:
    from fsm_core.persons.state import Person

person = typer.Typer(no_args_is_help=True, help="Who decides, and what they may do.")
token = typer.Typer(no_args_is_help=True, help="What scripts show instead of a password.")
app.add_typer(person, name="person")
app.add_typer(token, name="token")

Name = Annotated[str, typer.Argument(help="The person's name.")]
Roles = Annotated[list[str], typer.Argument(help="viewer, resolver, finance, admin, auditor; several may be given.")]


def password(prompt: str, *, new: bool = False) -> str:
    """A password from the terminal, unseen, or the next line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=new, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _plain(one: Person) -> dict[str, Any]:
    return {"name": one.name, "roles": sorted(one.roles), "state": one.state, "since": one.created_at}


def _told(one: Person, what: str) -> None:
    if not terminal.answer(_plain(one)):
        terminal.say(f"{one.name} ({', '.join(sorted(one.roles))}) {what}")


@person.command("add")
def person_add(name: Name, roles: Roles) -> None:
    """Add a person; the first admin turns log-ins on for everybody."""
    from fsm_core.persons import accounts  # noqa: PLC0415 - commands start fast

    with entered(Act.ADMINISTER) as (found, actor):
        meant = roles_of(roles)
        made = accounts.add(found.desk, actor, name, meant, password(f"Password of {name}", new=True))
    _told(made, "added")


@person.command("list")
def person_list() -> None:
    """Everybody, with roles."""
    with entered(Act.ADMINISTER) as (found, _), found.store.begin() as work:
        rows = work.persons()
    if not terminal.answer([_plain(one) for one in rows]):
        told = [(one.name, ", ".join(sorted(one.roles)), one.state, one.created_at[:19]) for one in rows]
        terminal.table(f"{len(rows)} persons", ("name", "roles", "state", "since"), told)


@person.command("role")
def person_role(name: Name, roles: Roles) -> None:
    """Give a person these roles instead of those it has."""
    from fsm_core.persons import accounts  # noqa: PLC0415 - commands start fast

    with entered(Act.ADMINISTER) as (found, actor):
        changed = accounts.change_roles(found.desk, actor, name, roles_of(roles))
    _told(changed, "from now on")


@person.command("disable")
def person_disable(name: Name) -> None:
    """Let a person do nothing any more, and revoke its tokens."""
    from fsm_core.persons import accounts  # noqa: PLC0415 - commands start fast

    with entered(Act.ADMINISTER) as (found, actor):
        changed = accounts.disable(found.desk, actor, name)
    _told(changed, "disabled")


@person.command("enable")
def person_enable(name: Name) -> None:
    """Let a disabled person log in again; ends a delay after failed log-ins."""
    from fsm_core.persons import accounts  # noqa: PLC0415 - commands start fast

    with entered(Act.ADMINISTER) as (found, actor):
        changed = accounts.enable(found.desk, actor, name)
    _told(changed, "may log in")


@person.command("password")
def person_password(name: Annotated[str, typer.Argument(help="Whose; default: one's own.")] = "") -> None:
    """Change one's own password, on the present one, or as an admin anybody's; log-ins of before end."""
    from fsm_core.persons import accounts  # noqa: PLC0415 - commands start fast

    with entered(None) as (found, actor):
        whose = (name or actor.name).strip().casefold()
        current = password("Present password") if whose == actor.name and actor.person else ""
        changed = accounts.change_password(found.desk, actor, whose, password("New password", new=True), current)
    _told(changed, "has a new password; log in again with it")


@app.command()
def login(name: Annotated[str, typer.Argument(help="Default: the user of the operating system.")] = "") -> None:
    """Log in: keep a token in a file that nobody else can read."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast
    from fsm_core.persons import logins  # noqa: PLC0415 - as above

    with opened(terminal.config, remote=False) as found:
        whose = name or login_name()
        made = logins.log_in(found.desk, whose, password(f"Password of {whose}"))
        if before := session.stored(terminal.config):
            logins.log_out(found.desk, before)
    kept = session.keep(terminal.config, made.secret)
    if not terminal.answer({"name": whose, "until": made.token.expires_at, "file": str(kept)}):
        terminal.say(f"logged in as {whose} until {made.token.expires_at[:10]}; the token is in {kept}")


@app.command()
def logout() -> None:
    """End the log-in: revoke its token and remove the file."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast
    from fsm_core.persons import logins  # noqa: PLC0415 - as above

    with opened(terminal.config, remote=False) as found:
        before = session.stored(terminal.config)
        if before:
            logins.log_out(found.desk, before)
    session.forget(terminal.config)
    if not terminal.answer({"was_logged_in": bool(before)}):
        terminal.say("logged out" if before else "nobody was logged in")


@app.command()
def whoami() -> None:
    """Say who acts, and with which roles."""
    with entered(None) as (_, actor):
        roles = sorted(actor.roles)
    if not terminal.answer({"name": actor.name, "roles": roles, "logged_in": bool(actor.person)}):
        how = "logged in" if actor.person else "local user; this hub has no admin yet"
        terminal.say(f"{actor.name} ({', '.join(roles)}), {how}")


@token.command("add")
def token_add(
    label: Annotated[str, typer.Argument(help="What it is for.")],
    days: Annotated[int, typer.Option(help="How long it is good for.")] = 90,
) -> None:
    """Make a token with one's own roles; it is shown once."""
    from fsm_core.persons import logins  # noqa: PLC0415 - commands start fast

    with entered(None) as (found, actor):
        made = logins.issue(found.desk, actor, label, timedelta(days=days))
    if not terminal.answer({"id": made.token.id, "token": made.secret, "until": made.token.expires_at}):
        terminal.say(f"{made.secret}\nshown this once; good until {made.token.expires_at[:10]}, in {session.VARIABLE}")


@token.command("list")
def token_list() -> None:
    """Tokens that are good for something: one's own; an admin sees everybody's."""
    from fsm_core.persons.rights import allowed  # noqa: PLC0415 - commands start fast

    with entered(None) as (found, actor), found.store.begin() as work:
        seen = [one for one in work.persons() if one.id == actor.person or allowed(actor, Act.ADMINISTER)]
        now = found.hub.at()
        rows = [
            {"id": t.id, "person": one.name, "label": t.label, "since": t.created_at, "until": t.expires_at}
            for one in seen
            for t in work.tokens(one.id)
            if t.revoked_at is None and t.expires_at > now
        ]
    if not terminal.answer(rows):
        told = [(r["id"][-8:], r["person"], r["label"], r["since"][:19], r["until"][:19]) for r in rows]
        terminal.table(f"{len(rows)} tokens", ("id", "person", "label", "since", "until"), told)


@token.command("revoke")
def token_revoke(id: Annotated[str, typer.Argument(help="The id, or the end of it.")]) -> None:  # noqa: A002 - the word people use
    """End a token: one's own, or as an admin anybody's."""
    from fsm_core.persons import logins  # noqa: PLC0415 - commands start fast

    with entered(None) as (found, actor):
        ended = logins.revoke(found.desk, actor, id)
    if not terminal.answer({"id": ended.id, "revoked_at": ended.revoked_at}):
        terminal.say(f"{ended.id[-8:]} ({ended.label}) is good for nothing any more")
