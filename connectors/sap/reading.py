"""Reads records of one binding through their partners: by id, by our own key, and as the engine takes them.

Not here: the change feed, writing, and what hangs on a partner (`aggregates`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from connectors.sap.aggregates import IDS_PER_QUERY, Aggregate, Found, View, aggregate_of
from connectors.sap.document import changed_at, key_in, version_of
from connectors.sap.odata import all_of, any_of, compare, normal_id
from connectors.sap.session import Session
from connectors.sap.settings import ROOT, SapSettings
from fsm_core.ports import Change, Document, KeyRef, Object, Ref, State


@dataclass(frozen=True, slots=True)
class Reader:
    """One binding; its view may be widened for planning a write."""

    session: Session
    settings: SapSettings
    aggregate: Aggregate
    view: View
    key: str = ""
    """Where our own record id lies (`Object.key`)."""

    @staticmethod
    def of(session: Session, settings: SapSettings, obj: Object) -> Reader:
        """For a binding; raises `BadMapping` for an object or path that this system does not have."""
        aggregate = aggregate_of(session.model, obj)
        return Reader(session, settings, aggregate, aggregate.view(session.model, obj), obj.key)

    def records(self, raw: Sequence[Mapping[str, Any]], *, fresh: bool = False) -> list[Found]:
        """What hangs on raw partner rows."""
        return self.aggregate.records(self.session, self.view, raw, fresh=fresh)

    def of_partners(self, numbers: Sequence[str], *, fresh: bool = False) -> Iterator[Found]:
        """What hangs on the partners with these numbers."""
        partners = self.view.partners
        number = partners.entity.field("BusinessPartner")
        wanted = list(dict.fromkeys(numbers))
        for start in range(0, len(wanted), IDS_PER_QUERY):
            tests = any_of(compare(number, "eq", one) for one in wanted[start : start + IDS_PER_QUERY])
            options = {"$filter": tests, "$orderby": "BusinessPartner", **partners.options()}
            yield from self.records(self.session.all_rows(ROOT, options), fresh=fresh)

    def fresh(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Documents for planning a write, by id."""
        numbers = [self.aggregate.partner_in(one) for one in ids if self.aggregate.normal(one)]
        found = {one.id: one.document for one in self.of_partners(numbers, fresh=True)}
        return {one: found[one] for one in ids if one in found}

    def change(self, found: Found) -> Change:
        """A record as the engine takes it."""
        partner = found.partner
        user = str(partner.get("LastChangedByUser") or partner.get("CreatedByUser") or "")
        return Change(
            id=found.id,
            document=cast("Document", found.document),
            version=version_of(found.document),
            changed_at=changed_at(partner, self.settings.system_time_zone),
            changed_by=user,
            ours=bool(user) and user.upper() == self.settings.our_user,
            key=key_in(partner, self.key) if self.key and found.keyed else "",
        )

    # -- by id and by key ----------------------------------------------------------------------

    def read(self, refs: Sequence[Ref]) -> list[Change]:
        """One answer per reference, in order; a key carried by several partners answers with the lowest number."""
        ids = {ref: self.aggregate.normal(ref) for ref in refs if isinstance(ref, str)}
        numbers = {ref: self.aggregate.partner_in(one) for ref, one in ids.items()}
        holders = self._holders([ref for ref in refs if isinstance(ref, KeyRef)])
        wanted = [number for number in (*numbers.values(), *holders.values()) if number]
        found = list(self.of_partners(wanted))
        by_id = {one.id: one for one in found}
        named = {str(one.partner["BusinessPartner"]): one for one in found if one.keyed}
        answers = (by_id.get(ids[r]) if isinstance(r, str) else named.get(holders.get(r, "")) for r in refs)
        return [self._answer(ref, one, ids) for ref, one in zip(refs, answers, strict=True)]

    def _answer(self, ref: Ref, found: Found | None, ids: Mapping[str, str]) -> Change:
        if found is not None:
            return self.change(found)._replace(ref=ref)
        return Change((ids[ref] or ref) if isinstance(ref, str) else "", {}, state=State.MISSING, ref=ref)

    def _holders(self, refs: Sequence[KeyRef]) -> dict[Ref, str]:
        found: dict[Ref, str] = {}
        for field in dict.fromkeys(ref.field for ref in refs):
            asked = [ref for ref in refs if ref.field == field]
            held = self.holders(field, [ref.value for ref in asked])
            found |= {ref: held[ref.value.upper()] for ref in asked if ref.value.upper() in held}
        return found

    def holders(self, field: str, values: Sequence[str]) -> dict[str, str]:
        """Upper-case key -> number of the partner that carries it, in a property or as identification of that type."""
        found: dict[str, str] = {}
        for start in range(0, len(values), IDS_PER_QUERY):
            found |= self._held(field, values[start : start + IDS_PER_QUERY])
        return found

    def _held(self, field: str, values: Sequence[str]) -> dict[str, str]:
        root = self.session.model[ROOT]
        if field in root.fields:
            entity, number, fixed = root, field, ""
        else:
            entity, number = self.session.model["A_BuPaIdentification"], "BPIdentificationNumber"
            fixed = compare(entity.field("BPIdentificationType"), "eq", field)
        tests = all_of(fixed, any_of(compare(entity.field(number), "eq", value) for value in values))
        options = {"$filter": tests, "$orderby": "BusinessPartner desc", "$select": f"BusinessPartner,{number}"}
        rows = self.session.all_rows(entity.name, options)
        return {str(row[number]).upper(): normal_id(str(row["BusinessPartner"])) for row in rows}
