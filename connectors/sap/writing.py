"""From a write to OData operations: deep inserts, and the fewest calls that turn a fresh document into the asked one.

Not here: sending them, and judging the answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from connectors.sap.batch import Operation
from connectors.sap.document import ENDED, ETAG, IDENTIFICATION
from connectors.sap.odata import Entity, Field, Model, encode, predicate, same
from connectors.sap.paths import Step, label, steps
from connectors.sap.settings import ROOT, SapSettings
from fsm_core.errors import BadMapping, Invalid
from fsm_core.ports import Action, Json, Object, Row, Write, find_row

CUSTOMER = "to_Customer"
ROLES = "to_BusinessPartnerRole"
FOR_EVER = "9999-12-31T23:59:59Z"
PHONE_TYPES = {"to_PhoneNumber": "1", "to_MobilePhoneNumber": "3"}
"""Both lists live in one entity set; the call-number type tells them apart."""


@dataclass(slots=True)
class Edit:
    """What is asked of one entity: property values, and edits of its child rows."""

    plain: dict[str, Json] = field(default_factory=dict)
    children: dict[str, list[RowEdit]] = field(default_factory=dict)

    def put(self, way: Sequence[Step], value: Any) -> None:  # noqa: ANN401 - Json or Rows
        """Take one path and its value in; dotted paths and rows may be mixed."""
        step, rest = way[0], way[1:]
        if rest:
            self.row(step).edit.put(rest, value)
        elif isinstance(value, tuple) and all(isinstance(entry, Row) for entry in value):
            self.children.setdefault(step.name, []).extend(RowEdit.of(entry) for entry in value)
        elif isinstance(value, Mapping):
            self.row(step).edit.update(value)
        else:
            self.plain[step.name] = value

    def update(self, fields: Mapping[str, Any]) -> None:
        """Take many paths in."""
        for path, value in fields.items():
            self.put(steps(path), value)

    def row(self, step: Step) -> RowEdit:
        """The edit of the child row a path selects."""
        rows = self.children.setdefault(step.name, [])
        match = dict(step.match)
        found = next((row for row in rows if row.match == match), None)
        if found is None:
            found = RowEdit(cast("dict[str, Json]", match))
            rows.append(found)
        return found

    def paths(self, prefix: str = "") -> Iterator[str]:
        """Every path touched, with selectors as a mapping writes them."""
        yield from (prefix + name for name in self.plain)
        for nav, rows in self.children.items():
            for row in rows:
                below = f"{prefix}{label(nav, row.match)}."
                yield from (f"{prefix}{nav}.{name}" for name in row.match if not row.edit)
                yield from row.edit.paths(below)

    def prune(self) -> bool:
        """Drop child rows that hold nothing but blanks; True when nothing is left. A new row would be empty."""
        asked = bool(self.plain or self.children)
        children = {nav: [row for row in rows if not row.prune()] for nav, rows in self.children.items()}
        self.children = {nav: rows for nav, rows in children.items() if rows}
        return asked and not self.children and all(value is None for value in self.plain.values())

    def pop(self, nav: str) -> Edit:
        """Cut the edits below one navigation off, as an edit of their own."""
        rows = self.children.pop(nav, [])
        return Edit(children={nav: rows} if rows else {})

    def __bool__(self) -> bool:
        return bool(self.plain or self.children)


@dataclass(slots=True)
class RowEdit:
    """An edit of one child row: found by `match`, created when nothing matches."""

    match: dict[str, Json]
    edit: Edit = field(default_factory=Edit)
    delete: bool = False

    def prune(self) -> bool:
        """Whether this row, if it were new, would say nothing; a bare match (a role) says enough."""
        return self.delete or self.edit.prune()

    @staticmethod
    def of(row: Row) -> RowEdit:
        """From a row of the ports."""
        made = RowEdit(dict(row.match), delete=row.delete)
        made.edit.update(row.fields)
        return made

    def as_new(self) -> Edit:
        """What a new row holds: the match spelled out (dotted names become nested rows), and the fields."""
        made = Edit(dict(self.edit.plain), {nav: list(rows) for nav, rows in self.edit.children.items()})
        for path, value in self.match.items():
            first, *rest = steps(path)
            if not rest:
                made.plain.setdefault(first.name, value)
            elif not any(_covers(row, rest, value) for row in made.children.get(first.name, [])):
                made.put((first, *rest), value)
        return made


def _covers(row: RowEdit, rest: Sequence[Step], value: Json) -> bool:
    name = ".".join(step.name for step in rest)
    return row.match.get(name, row.edit.plain.get(name)) == value


def edit_of(write: Write) -> Edit:
    """The asked content of a create or an update."""
    if write.action not in {Action.CREATE, Action.UPDATE}:
        raise Invalid(f"no action {write.action!r} here; known are {', '.join(Action)}")
    made = Edit()
    made.update(write.fields)
    return made


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans operations for one account."""

    model: Model
    settings: SapSettings
    today: str = ""

    # -- new -----------------------------------------------------------------------------------

    def create(self, obj: Object, write: Write, edit: Edit, category: str, roles: Sequence[str]) -> Operation:
        """The deep insert of a partner (its customer views come later), with our key so that it can be probed."""
        edit.plain.setdefault("BusinessPartnerCategory", category)
        edit.plain.setdefault("BusinessPartnerGrouping", self.settings.grouping)
        if write.key:
            self._add_key(obj, write.key, edit)
        for role in roles:
            self.add_role(edit, role)
        return self.insert(ROOT, edit)

    def insert(self, name: str, edit: Edit) -> Operation:
        """The deep insert of anything."""
        return Operation("POST", name, _json(self.payload(self.model[name], edit)))

    def _add_key(self, obj: Object, key: str, edit: Edit) -> None:
        if obj.key in self.model[ROOT].fields:
            edit.plain[obj.key] = key
            return
        kind = obj.key or self.settings.identification_type
        match: dict[str, Json] = {"BPIdentificationType": kind, "BPIdentificationNumber": key}
        rows = edit.children.setdefault(IDENTIFICATION, [])
        if not any(row.match.get("BPIdentificationType") == kind for row in rows):
            rows.append(RowEdit(match))

    @staticmethod
    def add_role(edit: Edit, role: str) -> None:
        """Ask for a role unless it is asked for."""
        rows = edit.children.setdefault(ROLES, [])
        if all(row.match.get("BusinessPartnerRole", row.edit.plain.get("BusinessPartnerRole")) != role for row in rows):
            rows.append(RowEdit({"BusinessPartnerRole": role}))

    def payload(self, entity: Entity, edit: Edit, at: str = "") -> dict[str, Any]:
        """The body of an insert, children nested; `at` is where we are, to name a field at fault."""
        made = {name: _encoded(entity, name, value, at, creating=True) for name, value in edit.plain.items()}
        for nav, rows in edit.children.items():
            target = self._target(entity, nav)
            asked = [(f"{at}{label(nav, row.match)}.", row.as_new()) for row in rows if not row.delete]
            nested = [self.payload(target, self._completed(target, nav, child), below) for below, child in asked]
            if entity.navs[nav][1]:
                made[nav] = nested
            elif nested:
                made[nav] = nested[0]
        return made

    def _completed(self, target: Entity, nav: str, edit: Edit) -> Edit:
        """Defaults of a new row: the call-number type, the keys of a customer view."""
        if nav in PHONE_TYPES:
            edit.plain.setdefault("PhoneNumberType", PHONE_TYPES[nav])
        for name, value in self.settings.default_keys(target.name).items():
            edit.plain.setdefault(name, value)
        return edit

    def _target(self, entity: Entity, nav: str) -> Entity:
        if nav not in entity.navs:
            known = ", ".join(entity.navs)
            raise BadMapping(f"no child {nav!r}; known are {known}", object=entity.name, field=nav)
        return self.model[entity.navs[nav][0]]

    # -- change --------------------------------------------------------------------------------

    def change(self, entity: Entity, row: Mapping[str, Any], edit: Edit, at: str = "") -> Iterator[Operation]:
        """The operations that turn a fresh row into the asked one; what stands already is not sent."""
        path = predicate(entity, row)
        changed = {name: value for name, value in edit.plain.items() if not _stands(entity, row, name, value)}
        body = {name: _encoded(entity, name, value, at, creating=False) for name, value in changed.items()}
        if body:
            yield Operation("PATCH", path, _json(body), self._if_match(entity, row))
        for nav, rows in edit.children.items():
            target = self._target(entity, nav)
            held = row.get(nav)
            there = [held] if isinstance(held, Mapping) else list(held or [])
            for child in rows:
                below = f"{at}{label(nav, child.match)}."
                yield from self._change_row(target, f"{path}/{nav}", there, child, below)

    def _change_row(self, target: Entity, path: str, there: list[Any], child: RowEdit, at: str) -> Iterator[Operation]:
        match = self._folded(target, child.match)
        found = find_row([row for row in there if not row.get(ENDED)], match)
        if child.delete:
            if found is not None:
                yield self._delete(target, found, at)
        elif found is None:
            yield from self._add(target, path, find_row(there, match), child, at)
        elif any(name in target.keys and not _stands(target, found, name, v) for name, v in child.edit.plain.items()):
            yield self._delete(target, found, at)
            yield Operation("POST", path, _json(self.payload(target, child.as_new(), at)))
        else:
            yield from self.change(target, found, child.edit, at)

    def _add(
        self, target: Entity, path: str, over: Mapping[str, Any] | None, child: RowEdit, at: str
    ) -> Iterator[Operation]:
        """A new row; of a set whose rows only end, the row that is `over` begins again."""
        if over is not None and not target.deletable:
            yield self._until(target, over, FOR_EVER, at)
            return
        if child.prune():
            return
        body = self.payload(target, self._completed(target, path.rpartition("/")[2], child.as_new()), at)
        yield Operation("POST", path, _json(body))

    def _delete(self, target: Entity, row: Mapping[str, Any], at: str) -> Operation:
        """Rows that cannot be deleted end today instead, where they have an end."""
        if target.deletable:
            return Operation("DELETE", predicate(target, row), headers=self._if_match(target, row))
        return self._until(target, row, f"{self.today}T00:00:00Z", at)

    def _until(self, target: Entity, row: Mapping[str, Any], end: str, at: str) -> Operation:
        if "ValidTo" not in target.fields or not self.today:
            raise Invalid(f"rows of {target.name} cannot be deleted", object=target.name, field=at.partition("[")[0])
        body = {"ValidTo": _encoded(target, "ValidTo", end, at, creating=False)}
        return Operation("PATCH", predicate(target, row), _json(body), self._if_match(target, row))

    def _if_match(self, entity: Entity, row: Mapping[str, Any]) -> dict[str, str]:
        """The ETag verbatim when the server gave one; `*` only where it is configured."""
        etag = "*" if self.settings.if_match.get(entity.name) == "*" else str(row.get(ETAG) or "")
        return {"If-Match": etag} if etag else {}

    def _folded(self, entity: Entity, match: Mapping[str, Json]) -> dict[str, Json]:
        """A match as the server renders it: upper-cased where the field is."""
        return {path: _fold(self._field(entity, steps(path)), value) for path, value in match.items()}

    def _field(self, entity: Entity, way: Sequence[Step]) -> Field:
        for step in way[:-1]:
            entity = self._target(entity, step.name)
        return entity.field(way[-1].name)


def _typed(spec: Field, value: Json) -> Json:
    """A selector of a path is always text; the row it selects holds a typed value."""
    if spec.type == "Edm.Boolean" and isinstance(value, str):
        return value.lower() in {"true", "x"}
    return int(value) if spec.type.startswith("Edm.Int") and isinstance(value, str) else value


def _fold(spec: Field, value: Json) -> Json:
    value = _typed(spec, value)
    return value.upper() if spec.upper and isinstance(value, str) else value


def _stands(entity: Entity, row: Mapping[str, Any], name: str, value: Json) -> bool:
    spec = entity.field(name)
    return name in row and same(spec, row[name], value)


def _encoded(entity: Entity, name: str, value: Json, at: str, *, creating: bool) -> Any:  # noqa: ANN401 - JSON
    spec = entity.field(name)
    if not (spec.creatable if creating else spec.updatable):
        raise Invalid("this field is read-only here", object=entity.name, field=at + name, code="read_only")
    try:
        return encode(spec, _typed(spec, value))
    except Invalid as error:
        error.field = at + name
        raise


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
