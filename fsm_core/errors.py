"""Every error the hub raises, sorted by what the caller should do about it.

Not here: how a vendor's status or code becomes one of these; each connector holds that table.

    HubError
    ├── Retry                  the same call may succeed later
    │   ├── Unreachable        no answer, or a gateway's answer
    │   ├── RateLimited        a quota or a limit; carries `retry_after`
    │   └── Locked             someone else holds the record
    ├── UnknownOutcome         a write may or may not have happened: probe before repeating
    ├── Refused                this record needs a person or another decision
    │   ├── Invalid            a value was rejected; names the field
    │   ├── NotFound           the record is gone
    │   ├── Stale              somebody wrote in between: observe and decide again
    │   └── Duplicate          the system already holds such a record
    ├── Misconfigured          stop this system and tell a person once
    │   ├── Unauthorised       credentials are wrong or revoked
    │   ├── MissingPermission  credentials are right, the right is missing
    │   ├── BadMapping         a mapping, rule or setting names what does not exist
    │   └── Drift              the account changed under a mapping
    ├── Denied                 this person may not do this
    │   └── LoginNeeded        nobody is logged in, or not any more
    └── CursorExpired          the change feed must be read from the start
"""

from __future__ import annotations

from typing import ClassVar


class HubError(Exception):
    """Base of all errors of the hub; `str()` names system, object, id, field and the remedy."""

    remedy_default: ClassVar[str] = "See the problem list."

    def __init__(
        self,
        message: str,
        *,
        system: str = "",
        object: str = "",  # noqa: A002 - the field's own word for a vendor's record type
        id: str = "",  # noqa: A002 - the vendor's word
        field: str = "",
        code: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.system = system
        self.object = object
        self.id = id
        self.field = field
        self.code = code
        self.remedy = remedy or self.remedy_default

    def __str__(self) -> str:
        """One sentence for a person: where, what, what to do."""
        where = " ".join(part for part in (self.system, self.object, self.id) if part)
        place = " ".join(part for part in (where, f"field {self.field}" if self.field else "") if part)
        code = f" [{self.code}]" if self.code else ""
        prefix = f"{place}: " if place else ""
        return f"{prefix}{self.message}{code} - {self.remedy}"

    def located(self, *, system: str = "", object: str = "", id: str = "") -> HubError:  # noqa: A002 - as above
        """Fill in what the raiser did not know; what is already set stays."""
        self.system = self.system or system
        self.object = self.object or object
        self.id = self.id or id
        return self


class Retry(HubError):
    """The same call may succeed later; nothing was changed by the failed one."""

    remedy_default = "Nothing to do: the hub tries again."


class Unreachable(Retry):
    """No answer, or an answer that came from something in front of the system."""


class RateLimited(Retry):
    """A limit was hit. `retry_after` is in seconds when the system said so; `daily` marks a quota, not a burst."""

    remedy_daily: ClassVar[str] = (
        "The allowance of calls is used up: the hub goes on when the system renews it. "
        "Have it raised there, or run less often."
    )

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        daily: bool = False,
        **where: str,
    ) -> None:
        super().__init__(message, **where)
        self.retry_after = retry_after
        self.daily = daily
        if daily and not where.get("remedy"):
            self.remedy = self.remedy_daily
        elif retry_after and not where.get("remedy"):
            self.remedy = f"Nothing to do: the hub tries again; the system asks for it in {_in_words(retry_after)}."


class Locked(Retry):
    """Someone else is editing the record."""


class UnknownOutcome(HubError):
    """A write was sent and no trustworthy answer came back."""

    remedy_default = "Nothing to do: the hub looks the record up before it repeats the write."


class Refused(HubError):
    """The system said no to this record; the rest flows on."""

    remedy_default = "Correct the record or the rule, then retry it with 'fsm-hub problems retry'."


class Invalid(Refused):
    """A value was rejected."""


class NotFound(Refused):
    """The record does not exist (any more)."""


class Stale(Refused):
    """The record changed since it was read; nothing was written."""

    remedy_default = "Nothing to do: the hub reads the record again and decides again."


class Forbidden(Refused):
    """A right to a part of this record is missing; other records, and its other parts, may be written."""

    remedy_default = "Give the hub's user this right there, then retry it with 'fsm-hub problems retry'."


class Duplicate(Refused):
    """The system holds a record that it considers the same; `others` are their ids."""

    remedy_default = (
        "If they are the same, give the one there the same number or tax id and the hub links them; "
        "if not, let the second one be saved there, then retry it with 'fsm-hub problems retry'."
    )

    def __init__(self, message: str, *, others: tuple[str, ...] = (), **where: str) -> None:
        super().__init__(message, **where)
        self.others = others


class Misconfigured(HubError):
    """Nothing will work until a person changes something."""

    remedy_default = "Correct the setting; 'fsm-hub doctor' tells whether it works."


class Unauthorised(Misconfigured):
    """The system does not accept our credentials."""

    remedy_default = (
        "Correct the user, key or secret of this system in hub.toml; 'fsm-hub doctor' tells whether it works."
    )


class MissingPermission(Misconfigured):
    """The credentials work, but a right is missing."""

    remedy_default = "Give the hub's user this right there; 'fsm-hub doctor' tells whether it works."


class BadMapping(Misconfigured):
    """A mapping, rule or setting names something that does not exist."""

    remedy_default = "Correct it where it is written."


class Drift(Misconfigured):
    """The account changed under a mapping: a field is gone, renamed, shortened or restricted."""

    remedy_default = (
        "Restore the field or the right to it there, or change the mapping; 'fsm-hub doctor' tells what it misses."
    )


class Denied(HubError):
    """A person of the hub may not do this; nothing was done."""

    remedy_default = "An admin of the hub gives roles with 'fsm-hub person role'."


class LoginNeeded(Denied):
    """Nobody is logged in, or not any more."""

    remedy_default = "Run 'fsm-hub login', or set FSM_HUB_TOKEN."


class CursorExpired(HubError):
    """The cursor is no longer valid; the next pass starts from nothing."""

    remedy_default = "Nothing to do: the hub reads everything once."


_MINUTE, _HOUR = 60.0, 3600.0


def _in_words(seconds: float) -> str:
    for unit, length in (("hours", _HOUR), ("minutes", _MINUTE)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
