"""The Salesforce connector: five verbs over SOQL and sObject collections.

Not here: field-service knowledge, and any policy about what to do with a change or an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx

from connectors.http import Edge, Patience, Tap
from connectors.salesforce import reads
from connectors.salesforce.auth import Identity, InstanceAuth, Login
from connectors.salesforce.changes import Pass
from connectors.salesforce.description import capabilities
from connectors.salesforce.ids import full_id
from connectors.salesforce.part_changes import WholePass
from connectors.salesforce.part_writes import WholeWriter
from connectors.salesforce.parts import parts_of
from connectors.salesforce.settings import SalesforceSettings, settings_from
from connectors.salesforce.transport import Library
from connectors.salesforce.writes import Writer
from fsm_core.errors import Drift, HubError, MissingPermission
from fsm_core.ports import Change, Check, Cursor, Description, Object, Page, Quota, Ref, Write, Written

__all__ = ["Salesforce", "SalesforceSettings", "connect"]

_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")


class Salesforce:
    """One org as one integration user sees it. Safe to share between threads."""

    def __init__(
        self,
        settings: SalesforceSettings,
        *,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
        tap: Tap | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """`clock` only signs the login; changes are timed by the server's clock."""
        self.name = settings.name
        self.settings = settings
        options: dict[str, Any] = {"patience": patience, "tap": tap, "transport": transport}
        self._door = Edge(self.name, **options)
        self._auth = InstanceAuth(Login(settings, self._door, clock), self.name)
        told = {"Sforce-Call-Options": f"client={settings.client_name}"}
        self.edge = Edge(self.name, auth=self._auth, headers=told, read_quota=quota_of, **options)
        paging = {"Sforce-Query-Options": f"batchSize={settings.page_size}"}
        self._library = Library(self.edge, settings.api_version, paging)
        self._organization = ""
        self._user = ""

    def check(self) -> Check:
        """Logs in and asks for the organisation: two calls."""
        with self._located():
            fingerprint = self._fingerprint()
            return Check(
                ok=True,
                fingerprint=fingerprint,
                user=self._me(),
                quota=self.edge.quota,
                notes=(f"API v{self.settings.api_version}",),
            )

    def describe(self, objects: Sequence[Object]) -> Description:
        """One call per object and part, and one for the organisation; an object we may not see is absent."""
        with self._located():
            fingerprint = self._fingerprint()
            wanted = (name for obj in objects for name in (obj.name, *(part.object for part in parts_of(obj))))
            found = {name: self._described(name) for name in dict.fromkeys(wanted)}
        overlap = self.settings.overlap
        return Description(
            fingerprint,
            {
                obj.name: capabilities(obj, seen, overlap, found)
                for obj in objects
                if (seen := found[obj.name]) is not None
            },
        )

    def changes(self, obj: Object, since: Cursor | None) -> Iterator[Page]:
        """One call per page; memory holds one page. Every page may carry on where a crash stopped.

        An object with parts costs one call more for each kind of part, except in a pass from the start.
        """
        kind = WholePass if parts_of(obj) else Pass
        with self._located(obj):
            yield from kind(self._library, obj, since, overlap=self.settings.overlap, who=self._who).pages()

    def read(self, obj: Object, refs: Sequence[Ref]) -> list[Change]:
        """About 500 ids per call; also finds what lies in the recycle bin."""
        with self._located(obj):
            return reads.read(self._library, obj, refs, self._me)

    def write(self, obj: Object, writes: Sequence[Write]) -> list[Written]:
        """200 records per call. The org compares no versions: `expected_version` is the engine's to check."""
        extra = {"Sforce-Duplicate-Rule-Header": "allowSave=true"} if self.settings.allow_duplicates else {}
        with self._located(obj):
            outcomes = self._writer(obj, extra).write(writes)
        for outcome in outcomes:
            if outcome.error is not None:
                outcome.error.located(system=self.name)
        return outcomes

    def _writer(self, obj: Object, headers: dict[str, str]) -> Writer | WholeWriter:
        version = self.settings.api_version
        if not parts_of(obj):
            return Writer(self.edge, obj, version, headers)
        return WholeWriter(self.edge, self._library, obj, version, headers, self._me)

    def close(self) -> None:
        """Give connections back."""
        self.edge.close()
        self._door.close()

    def _located(self, obj: Object | None = None) -> _Located:
        return _Located(self.name, obj.name if obj else "")

    def _described(self, name: str) -> dict[str, Any] | None:
        try:
            return self._library.describe(name)
        except Drift:
            return None

    def _fingerprint(self) -> str:
        if not self._organization:
            rows = self._library.query("SELECT Id FROM Organization").document().get("records")
            if not rows:
                raise MissingPermission("the user may not see the organisation", object="Organization")
            self._organization = full_id(rows[0]["Id"])
        return self._organization

    def _who(self) -> Identity:
        found = self._auth.identity()
        if found.user:
            return found
        if not self._user:
            self._user = full_id(str(self._library.userinfo().get("user_id", "")))
        return replace(found, user=self._user)

    def _me(self) -> str:
        return self._who().user


class _Located:
    """Adds system and object to every error that passes."""

    def __init__(self, system: str, name: str) -> None:
        self._system = system
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, HubError):
            error.located(system=self._system, object=self._name)


def quota_of(response: httpx.Response) -> Quota | None:
    """Calls used and allowed in 24 hours, from `Sforce-Limit-Info: api-usage=18/5000`."""
    found = _USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
    return Quota(int(found[1]), int(found[2])) if found else None


def connect(settings: Mapping[str, Any], **edge_options: Any) -> Salesforce:  # noqa: ANN401 - Salesforce's keywords
    """A connector from a plain mapping. Raises `BadMapping` for a key that is unknown, missing or impossible."""
    return Salesforce(settings_from(settings), **edge_options)
