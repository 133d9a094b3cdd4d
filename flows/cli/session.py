"""The token of this user's log-in: one file per hub, readable by nobody else, or the variable FSM_HUB_TOKEN.

Not here: what a token is good for (`fsm_core.persons.logins`).
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path

import typer

from fsm_core.errors import LoginNeeded

VARIABLE = "FSM_HUB_TOKEN"


def place(config: Path) -> Path:
    """The file for the hub of these settings."""
    return Path(typer.get_app_dir("fsm-hub")) / "tokens" / sha256(str(config.resolve()).encode()).hexdigest()[:16]


def secret(config: Path) -> str:
    """The token to act with; "" for none. The variable comes first."""
    return os.environ.get(VARIABLE, "").strip() or stored(config)


def stored(config: Path) -> str:
    """The token in the file; "" for none. Raises `LoginNeeded` where others could read it."""
    path = place(config)
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise LoginNeeded(f"{path} cannot be read: {error.strerror}") from None
    with os.fdopen(file, encoding="utf8") as lines:
        if stat.S_IMODE(os.fstat(file).st_mode) & 0o077:
            message = f"others may read {path}"
            raise LoginNeeded(message, remedy="Delete it, log in again, and have an admin revoke the token.")
        return lines.read().strip()


def keep(config: Path, token: str) -> Path:
    """Store the token, never for a moment readable by others; returns the file."""
    path = place(config)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf8") as lines:
        lines.write(f"{token}\n")
    fresh.replace(path)
    return path


def forget(config: Path) -> None:
    """Remove the file."""
    place(config).unlink(missing_ok=True)
