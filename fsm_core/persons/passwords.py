"""Passwords and tokens as they are made, kept and compared. None of them is ever logged or stored as it is.

Not here: whose they are and how often one may guess (`logins`).
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fsm_core.errors import Invalid

SHORTEST, LONGEST = 12, 256
TOKEN_PREFIX = "fsmhub_"  # noqa: S105 - no secret: by it a leaked token is recognised
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
RESERVED = frozenset({"engine"})
"""What the audit calls the hub itself."""


class Passwords:
    """Argon2id with the parameters of the settings."""

    def __init__(self, time_cost: int, memory_kib: int, parallelism: int) -> None:
        self._hasher = PasswordHasher(time_cost, memory_kib, parallelism)

    def hash(self, password: str) -> str:
        """What is kept: salt and parameters are in it."""
        return self._hasher.hash(_normal(password))

    def matches(self, kept: str, password: str) -> bool:
        """Whether this is the password; takes as long either way, also where nothing is kept."""
        if not kept:
            self.hash(password)
            return False
        try:
            return self._hasher.verify(kept, _normal(password))
        except (VerificationError, InvalidHashError):
            return False

    def outdated(self, kept: str) -> bool:
        """Whether it was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(kept)


def _normal(password: str) -> str:
    """Keyboards differ in how they compose an umlaut."""
    return unicodedata.normalize("NFC", password)


def checked(password: str, name: str) -> str:
    """A password good enough to keep. Raises `Invalid`, which never quotes it."""
    if not SHORTEST <= len(password) <= LONGEST:
        remedy = f"Take one of {SHORTEST} to {LONGEST} characters; several words do well."
        raise Invalid(f"the password has {len(password)} characters", field="password", remedy=remedy)
    if name in password.casefold():
        raise Invalid("the password holds the name", field="password", remedy="Take another one.")
    return password


def named(name: str) -> str:
    """A person's name as it is kept: lower case. Raises `Invalid`."""
    kept = name.strip().casefold()
    if not _NAME.fullmatch(kept) or kept in RESERVED:
        remedy = "Take 2 to 64 of a-z, 0-9 and . _ @ -, beginning with a letter or digit."
        raise Invalid(f"{name!r} cannot be a person's name", field="name", remedy=remedy)
    return kept


def new_token() -> str:
    """A secret of 256 random bits; shown once."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """What is kept of a token. It is random and long: a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).hexdigest()
