"""SAP S/4HANA: business partners over API_BUSINESS_PARTNER (OData V2), as the five verbs of `fsm_core.ports`.

Not here: field-service meaning, and any policy about what to write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from connectors.http import Patience, Tap
from connectors.sap.feed import SLACK, Feed
from connectors.sap.odata import Entity, all_of, any_of, compare, normal_id
from connectors.sap.partner import Shape, change_of, document, shape_of
from connectors.sap.paths import steps
from connectors.sap.session import Session
from connectors.sap.settings import EDGE_OPTIONS, ROOT, SapSettings, checked, parsed
from connectors.sap.writer import IDS_PER_QUERY, Writer
from fsm_core.errors import BadMapping, HubError
from fsm_core.ports import (
    Capabilities,
    Change,
    Check,
    Creates,
    Cursor,
    Deletes,
    Description,
    FieldCapability,
    KeyRef,
    Object,
    Page,
    Ref,
    State,
    Write,
    Written,
)

__all__ = ["Sap", "SapSettings", "connect"]


def connect(settings: Mapping[str, Any], **edge_options: Any) -> Sap:  # noqa: ANN401 - patience, transport, tap
    """A connector from plain settings; raises `BadMapping` that names unknown, missing or wrong ones."""
    unknown = set(edge_options) - EDGE_OPTIONS
    if unknown:
        known = ", ".join(sorted(EDGE_OPTIONS))
        raise BadMapping(f"unknown option {', '.join(sorted(unknown))}; known are {known}", system="sap")
    return Sap(parsed(settings), **edge_options)


class Sap:
    """Business partners as one document each; see README.md for the shape and the limits."""

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
        return Description(self.fingerprint, {obj.name: self._capabilities(obj) for obj in objects if obj.name == ROOT})

    def _capabilities(self, obj: Object) -> Capabilities:
        root = self.session.model[ROOT]
        paths = [*root.fields, *(path for path in obj.fields if path not in root.fields)]
        found = {path: self._field(root, path) for path in paths}
        return Capabilities(
            fields={path: capability for path, capability in found.items() if capability is not None},
            creates=Creates.PROBE,
            deletes=Deletes.FLAGS,
            compare_and_set=True,
            batch=self.settings.batch,
            overlap=timedelta(seconds=self.settings.overlap) + SLACK,
        )

    def _field(self, entity: Entity, path: str) -> FieldCapability | None:
        try:
            *way, last = steps(path)
            for step in way:
                entity = self.session.model[entity.navs[step.name][0]]
            field = entity.field(last.name)
        except (HubError, KeyError):
            return None
        required = field.key and entity.name != ROOT and "." not in path
        return FieldCapability(
            creatable=field.creatable,
            writable=field.updatable and not field.key,
            required=required,
            length=field.length if field.type == "Edm.String" else None,
        )

    # -- reading -------------------------------------------------------------------------------

    def changes(self, obj: Object, since: Cursor | None) -> Iterator[Page]:
        """Partners changed or created since the cursor, ascending by number; see `feed` for the promises."""
        shape = shape_of(self.session.model, obj)
        return Feed(self.session, self.settings, shape, obj.filter, obj.key).pages(since)

    def read(self, obj: Object, refs: Sequence[Ref]) -> list[Change]:
        """One answer per reference, in order; a key carried by several partners answers with the lowest number."""
        shape = shape_of(self.session.model, obj)
        ids: dict[Ref, str] = {ref: self._id_of(ref) for ref in refs if isinstance(ref, str)}
        ids |= self._ids_by_key(shape, [ref for ref in refs if isinstance(ref, KeyRef)])
        found = self._documents(shape, [one for one in ids.values() if one], obj.key)
        return [self._answer(ref, ids.get(ref, ""), found) for ref in refs]

    def _id_of(self, ref: str) -> str:
        """A number too long to be one is not asked for: the service would refuse the whole filter."""
        field = self.session.model[ROOT].field("BusinessPartner")
        one = normal_id(ref)
        return one if len(one) <= (field.length or len(one)) else ""

    def _answer(self, ref: Ref, one: str, found: Mapping[str, Change]) -> Change:
        change = found.get(one)
        if change is None:
            return Change(one or (ref if isinstance(ref, str) else ""), {}, state=State.MISSING, ref=ref)
        return replace(change, ref=ref)

    def _documents(self, shape: Shape, ids: Sequence[str], key: str) -> dict[str, Change]:
        number = shape.entity.field("BusinessPartner")
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Change] = {}
        for start in range(0, len(wanted), IDS_PER_QUERY):
            tests = any_of(compare(number, "eq", one) for one in wanted[start : start + IDS_PER_QUERY])
            options = {"$filter": tests, "$orderby": "BusinessPartner", **shape.options()}
            rows = self.session.all_rows(ROOT, options)
            today = self.session.today
            changes = (change_of(document(shape, row, today), self.settings, key) for row in rows)
            found |= {change.id: change for change in changes}
        return found

    def _ids_by_key(self, shape: Shape, refs: Sequence[KeyRef]) -> dict[Ref, str]:
        """Ids behind our keys: a property of the root, or identification rows of that type."""
        found: dict[Ref, str] = {}
        for field in dict.fromkeys(ref.field for ref in refs):
            values = [ref.value for ref in refs if ref.field == field]
            for start in range(0, len(values), IDS_PER_QUERY):
                held = self._held_keys(shape.entity, field, values[start : start + IDS_PER_QUERY])
                asked = (ref for ref in refs if ref.field == field)
                found |= {ref: held[ref.value.upper()] for ref in asked if ref.value.upper() in held}
        return found

    def _held_keys(self, root: Entity, field: str, values: Sequence[str]) -> dict[str, str]:
        if field in root.fields:
            entity, number, fixed = root, field, ""
        else:
            entity, number = self.session.model["A_BuPaIdentification"], "BPIdentificationNumber"
            fixed = compare(entity.field("BPIdentificationType"), "eq", field)
        tests = all_of(fixed, any_of(compare(entity.field(number), "eq", value) for value in values))
        options = {"$filter": tests, "$orderby": "BusinessPartner desc", "$select": f"BusinessPartner,{number}"}
        rows = self.session.all_rows(entity.name, options)
        return {str(row[number]).upper(): normal_id(str(row["BusinessPartner"])) for row in rows}

    # -- writing -------------------------------------------------------------------------------

    def write(self, obj: Object, writes: Sequence[Write]) -> list[Written]:
        """One outcome per write, in order; each record is one changeset, so it is written whole or not at all.

        Only the customer views of a new customer come in a second step: when that fails, the outcome carries
        both the new id and the error.
        """
        return Writer(self.session, self.settings, obj).write(writes)

    def close(self) -> None:
        """Give connections back."""
        self.session.close()
