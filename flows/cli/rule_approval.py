"""A second person's word on a text of the rules, before it comes into force.

Not here: giving the word (`approvals`), and what may become of a version (`fsm_core.ownership.versions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from fsm_core.errors import BadMapping, Refused

if TYPE_CHECKING:
    from fsm_core.ownership.versions import RuleVersion
    from fsm_core.persons.desk import Desk
    from fsm_core.persons.rights import Actor
    from fsm_core.persons.state import Approval, PersonWork
    from fsm_core.settings import Settings
    from fsm_core.store import SqlStore

KIND = "rules"


class NotApproved(Refused):
    """Nobody else has approved exactly this text yet."""


def subject(version: RuleVersion) -> str:
    """The whole hash of the text: a version's name is the beginning of one, which can be met on purpose."""
    return sha256(version.text.encode()).hexdigest()


@dataclass(frozen=True)
class SecondWord:
    """Whether a second person is wanted here, and what that one said."""

    config: Settings
    store: SqlStore
    actor: Actor

    @property
    def waived(self) -> str:
        """Why nobody else has to approve; "" when somebody has to."""
        if not self.actor.person:
            return "nobody had to approve it, as this hub has no admin yet"
        return "" if self.config.persons.second_person else "nobody had to approve it: second_person = false"

    def given(self, work: PersonWork, version: RuleVersion) -> str:
        """Who approved it, "" where nobody has to. Raises `NotApproved`."""
        from fsm_core.persons.approvals import granted  # noqa: PLC0415 - commands start fast

        if self.waived:
            return ""
        found = granted(work, subject(version), KIND)
        if found is None:
            raise NotApproved(f"nobody else has approved version {version.version}")
        return found.approved_by

    def ask(self, version: RuleVersion) -> Approval:
        """Ask for it; what is asked for already is not asked twice."""
        from fsm_core.persons.approvals import ask  # noqa: PLC0415 - commands start fast

        note = f"rules {version.version}" + (f": {version.note}" if version.note else "")
        return ask(self._desk(version), self.actor, subject(version), KIND, note)

    def _desk(self, version: RuleVersion) -> Desk:
        """The desk under the rules in force; those that cannot be read any more must not keep their successor out."""
        from flows.wiring import Opened, bound_rules, open_rules  # noqa: PLC0415 - commands start fast
        from fsm_core.model import SHAPES  # noqa: PLC0415 - as above
        from fsm_core.service.hub import Hub  # noqa: PLC0415 - as above

        try:
            book = open_rules(self.config, self.store)
        except BadMapping:
            book = bound_rules(self.config, version.text, version.version)
        return Opened(Hub(self.store, book, SHAPES, {}), self.store, self.config).desk
