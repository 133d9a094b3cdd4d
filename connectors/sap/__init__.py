"""SAP S/4HANA: business partners, their contacts and addresses over API_BUSINESS_PARTNER (OData V2), in five verbs.

Not here: field-service meaning, and any policy about what to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from connectors.http import Patience, Tap
from connectors.sap.aggregates import AGGREGATES, aggregate_of
from connectors.sap.contact import ContactWriter
from connectors.sap.document import IDENTIFICATION
from connectors.sap.feed import SLACK, Feed
from connectors.sap.odata import Entity
from connectors.sap.paths import steps
from connectors.sap.reading import Reader
from connectors.sap.session import Session
from connectors.sap.settings import ADDRESS, CONTACT, EDGE_OPTIONS, ROOT, SapSettings, checked, parsed
from connectors.sap.writer import AddressWriter, Writer
from fsm_core.errors import BadMapping, HubError
from fsm_core.ports import (
    Capabilities,
    Change,
    Check,
    Cursor,
    Description,
    FieldCapability,
    Object,
    Page,
    Ref,
    Write,
    Written,
)

KEY_PLACE = f"{IDENTIFICATION}.BPIdentificationNumber"
"""Where our record id lies when `Object.key` names an identification type."""

__all__ = ["Sap", "SapSettings", "connect"]

TYPES = {
    **dict.fromkeys(("Edm.Byte", "Edm.SByte", "Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Decimal"), "number"),
    **dict.fromkeys(("Edm.Single", "Edm.Double", "Edm.Float"), "number"),
    "Edm.String": "text",
    "Edm.Boolean": "flag",
    "Edm.DateTime": "date",
    "Edm.DateTimeOffset": "instant",
}
"""What a property holds, in the words of the ports; any other type is its own word."""
WRITERS: Mapping[str, type[Writer]] = {ROOT: Writer, CONTACT: ContactWriter, ADDRESS: AddressWriter}
"""How each aggregate is written; what it is stands in `aggregates`."""


def connect(settings: Mapping[str, Any], **edge_options: Any) -> Sap:  # noqa: ANN401 - patience, transport, tap
    """A connector from plain settings; raises `BadMapping` that names unknown, missing or wrong ones."""
    unknown = set(edge_options) - EDGE_OPTIONS
    if unknown:
        known = ", ".join(sorted(EDGE_OPTIONS))
        raise BadMapping(f"unknown option {', '.join(sorted(unknown))}; known are {known}", system="sap")
    return Sap(parsed(settings), **edge_options)


class Sap:
    """Partners, contacts and addresses as one document each; see README.md for the shapes and the limits."""

    name = "sap"

    def __init__(
        self,
        settings: SapSettings,
        *,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.settings = checked(settings)
        self.session = Session(self.settings, patience=patience, transport=transport, tap=tap)

    # -- check and describe --------------------------------------------------------------------

    def check(self) -> Check:
        """Log in and fetch a CSRF token: what reading and writing both need."""
        self.session.token()
        notes = () if ROOT in self.session.model else (f"the service has no {ROOT}",)
        return Check(not notes, self.fingerprint, self.settings.our_user, self.session.edge.quota, notes)

    @property
    def fingerprint(self) -> str:
        """Logical system if configured, else host, and the client (SAP's own word for a tenant)."""
        host = self.settings.logical_system or urlsplit(self.settings.base_url).netloc.lower()
        return f"{host}/{self.settings.sap_client}" if self.settings.sap_client else host

    def describe(self, objects: Sequence[Object]) -> Description:
        """What $metadata says now; a path that does not exist is simply absent."""
        self.session.forget_model()
        known = (obj for obj in objects if obj.name in AGGREGATES and obj.name in self.session.model)
        return Description(self.fingerprint, {obj.name: self._capabilities(obj) for obj in known})

    def _capabilities(self, obj: Object) -> Capabilities:
        aggregate, root = AGGREGATES[obj.name], self.session.model[obj.name]
        paths = [*root.fields, *(path for path in obj.fields if path not in root.fields)]
        found = {path: self._field(root, path, required=path in aggregate.required) for path in paths}
        return Capabilities(
            fields={path: capability for path, capability in found.items() if capability is not None},
            creates=aggregate.creates,
            deletes=aggregate.deletes,
            deletable=False,
            compare_and_set=True,
            batch=self.settings.batch,
            overlap=timedelta(seconds=self.settings.overlap) + SLACK,
            key=self._key(root, obj.key) if obj.key else None,
            unguarded="rows for which the service gives no ETag",
            others={
                path: able for path in self._beside(root, found) if (able := self._field(root, path, required=False))
            },
        )

    def _beside(self, root: Entity, asked: Iterable[str]) -> Iterator[str]:
        """The paths of the fields beside those that are asked for, in the parts of the aggregate."""
        for prefix in sorted({path.rpartition(".")[0] for path in asked} - {""}):
            with suppress(HubError, KeyError):
                entity = root
                for step in steps(f"{prefix}.x")[:-1]:
                    entity = self.session.model[entity.navs[step.name][0]]
                yield from (path for name in entity.fields if (path := f"{prefix}.{name}") not in asked)

    def _key(self, root: Entity, key: str) -> FieldCapability | None:
        """A property of the object itself, or an identification of the partner it hangs on."""
        if key in root.fields:
            return self._field(root, key, required=False)
        return self._field(self.session.model[ROOT], KEY_PLACE, required=False)

    def _field(self, entity: Entity, path: str, *, required: bool) -> FieldCapability | None:
        try:
            *way, last = steps(path)
            for step in way:
                entity = self.session.model[entity.navs[step.name][0]]
            field = entity.field(last.name)
        except (HubError, KeyError):
            return None
        return FieldCapability(
            creatable=field.creatable,
            writable=field.updatable and not field.key,
            required=required,
            length=field.length if field.type == "Edm.String" else None,
            type=TYPES.get(field.type, field.type),
            label=field.label,
        )

    # -- reading -------------------------------------------------------------------------------

    def changes(self, obj: Object, since: Cursor | None) -> Iterator[Page]:
        """Records whose partner changed or was created since the cursor; see `feed` for the promises."""
        return Feed(Reader.of(self.session, self.settings, obj), obj.filter).pages(since)

    def read(self, obj: Object, refs: Sequence[Ref]) -> list[Change]:
        """One answer per reference, in order."""
        return Reader.of(self.session, self.settings, obj).read(refs)

    # -- writing -------------------------------------------------------------------------------

    def write(self, obj: Object, writes: Sequence[Write]) -> list[Written]:
        """One outcome per write, in order; each record is one changeset, so it is written whole or not at all.

        Two things take a second step: the customer views of a new customer (when they fail, the outcome carries both
        the new id and the error), and the relationship of a new contact (a repeated create completes it).
        """
        return WRITERS[aggregate_of(self.session.model, obj).name](self.session, self.settings, obj).write(writes)

    def close(self) -> None:
        """Give connections back."""
        self.session.close()
