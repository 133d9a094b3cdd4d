"""The REST resources of the simulated org: records, upserts, collections, describe, deleted and updated lists.

Not here: login and routing (`simulator`), the rules of saving (`simulator_store`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from connectors.salesforce.ids import full_id
from connectors.salesforce.simulator_query import Queries
from connectors.salesforce.simulator_rows import rendered
from connectors.salesforce.simulator_store import Refusal, Row, Store, stamp

if TYPE_CHECKING:
    from connectors.salesforce.simulator import Incoming

Reply = tuple[Any, ...]
Route = tuple[str, tuple[str, ...], Callable[..., Reply]]
COLLECTION_LIMIT = 200
CHUNK_LIMIT = 10
UPSERT_TELLS_ID_SINCE = 46.0
ALL_OR_NONE = {
    "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "message": "Record rolled back because not all records were valid and the request was using AllOrNone header",
    "fields": [],
}


class Rest:
    """Handlers of (call, path values) that return (status, payload[, headers])."""

    def __init__(self, store: Store, queries: Queries, count_writes: Callable[[int], None]) -> None:
        self._store = store
        self._queries = queries
        self._count_writes = count_writes
        self.user = ""

    def routes(self) -> list[Route]:
        """First match wins: the collections come before the single records."""
        return [
            ("GET", ("query",), self._query),
            ("GET", ("queryAll",), self._query_all),
            ("GET", ("query", "*"), self._query_more),
            ("GET", ("queryAll", "*"), self._query_more),
            ("GET", ("sobjects",), self._global),
            ("GET", ("sobjects", "*", "describe"), self._describe),
            ("GET", ("sobjects", "*", "deleted"), self._deleted),
            ("GET", ("sobjects", "*", "updated"), self._updated),
            ("POST", ("sobjects", "*"), self._create),
            ("POST", ("sobjects", "*", "Id"), self._create),
            ("GET", ("sobjects", "*", "*"), self._get),
            ("PATCH", ("sobjects", "*", "*"), self._update),
            ("DELETE", ("sobjects", "*", "*"), self._delete),
            ("GET", ("sobjects", "*", "*", "*"), self._get_by_key),
            ("PATCH", ("sobjects", "*", "*", "*"), self._upsert),
            ("POST", ("composite", "sobjects"), self._create_many),
            ("PATCH", ("composite", "sobjects"), self._update_many),
            ("DELETE", ("composite", "sobjects"), self._delete_many),
            ("PATCH", ("composite", "sobjects", "*", "*"), self._upsert_many),
        ]

    # -- queries and metadata ----------------------------------------------------------------------

    def _query(self, call: Incoming) -> Reply:
        return 200, self._started(call, deleted=False)

    def _query_all(self, call: Incoming) -> Reply:
        return 200, self._started(call, deleted=True)

    def _started(self, call: Incoming, *, deleted: bool) -> dict[str, Any]:
        options = call.headers.get("sforce-query-options", "")
        return self._queries.start(call.args.get("q", ""), options, call.version, deleted=deleted)

    def _query_more(self, call: Incoming, locator: str) -> Reply:
        return 200, self._queries.more(locator, call.version)

    def _global(self, _call: Incoming) -> Reply:
        listed = [{"name": kind.name, "keyPrefix": kind.prefix} for kind in self._store.objects.values()]
        return 200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed}

    def _describe(self, call: Incoming, name: str) -> Reply:
        hidden = frozenset(field for owner, field in self._store.hidden if owner == name)
        return 200, {
            **self._store.object(name).described(hidden),
            "urls": {"sobject": f"/services/data/v{call.version}/sobjects/{name}"},
        }

    def _deleted(self, call: Incoming, name: str) -> Reply:
        gone = [row for row in self._between(call, name, days=15) if row.get("IsDeleted")]
        return 200, {
            "deletedRecords": [{"deletedDate": row["SystemModstamp"], "id": row["Id"]} for row in gone],
            "earliestDateAvailable": stamp(self._store.clock.now() - timedelta(days=15)),
            "latestDateCovered": stamp(self._store.clock.now()),
        }

    def _updated(self, call: Incoming, name: str) -> Reply:
        live = [row["Id"] for row in self._between(call, name, days=30) if not row.get("IsDeleted")]
        return 200, {"ids": live, "latestDateCovered": stamp(self._store.clock.now())}

    def _between(self, call: Incoming, name: str, *, days: int) -> list[Row]:
        self._store.object(name)
        start, end = (datetime.fromisoformat(call.args.get(key, "").replace(" ", "+")) for key in ("start", "end"))
        if start.astimezone(UTC) < self._store.clock.now() - timedelta(days=days):
            raise Refusal("INVALID_REPLICATION_DATE", f"startDate before org replication enabled date or {days} days")
        rows = self._store.tables[name].values()
        return [row for row in rows if stamp(start) <= row["SystemModstamp"] <= stamp(end)]

    # -- single records ----------------------------------------------------------------------------

    def _create(self, call: Incoming, name: str) -> Reply:
        self._store.object(name)
        self._count_writes(1)
        values = self._store.parse(name, call.body or {})
        made = self._store.create(name, values, self.user, bypass=_allows_duplicates(call))
        return 201, {"id": made["Id"], "success": True, "errors": []}

    def _get(self, call: Incoming, name: str, id: str) -> Reply:  # noqa: A002 - the vendor's word
        return 200, self._shown(call, name, self._row(name, id))

    def _get_by_key(self, call: Incoming, name: str, key: str, value: str) -> Reply:
        self._key(name, key)
        found = self._store.by_value(name, key, value)
        if not found:
            raise _absent()
        return self._choice(call, name, found) if len(found) > 1 else (200, self._shown(call, name, found[0]))

    def _shown(self, call: Incoming, name: str, row: Row) -> Row:
        asked = [part for part in call.args.get("fields", "").split(",") if part]
        names = asked or [
            field for field in self._store.objects[name].fields if (name, field) not in self._store.hidden
        ]
        return rendered(self._store, name, row, [(field,) for field in names], call.version)

    def _row(self, name: str, id: str) -> Row:  # noqa: A002 - the vendor's word
        row = self._store.tables[self._store.object(name).name].get(full_id(id))
        if row is None:
            raise _absent()
        if row.get("IsDeleted"):
            raise Refusal("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return row

    def _update(self, call: Incoming, name: str, id: str) -> Reply:  # noqa: A002 - the vendor's word
        self._count_writes(1)
        row = self._row(name, id)
        self._store.update(name, row["Id"], self._store.parse(name, call.body or {}), self.user)
        return 204, None

    def _delete(self, _call: Incoming, name: str, id: str) -> Reply:  # noqa: A002 - the vendor's word
        self._count_writes(1)
        self._store.delete(name, self._row(name, id)["Id"], self.user)
        return 204, None

    def _upsert(self, call: Incoming, name: str, key: str, value: str) -> Reply:
        self._key(name, key)
        self._count_writes(1)
        found = self._store.by_value(name, key, value)
        if len(found) > 1:
            return self._choice(call, name, found)
        if not found and call.args.get("updateOnly") == "true":
            raise _absent()
        values = self._store.parse(name, call.body or {}) | {key: value}
        done = self._upserted(call, name, found[0] if found else None, values)
        if done["created"]:
            return 201, done
        # Since v46 an update tells the id; before, it was an empty 204.
        return (200, done) if float(call.version) >= UPSERT_TELLS_ID_SINCE else (204, None)

    def _choice(self, call: Incoming, name: str, found: list[Row]) -> Reply:
        """300: the external id is not unique; the answer lists the candidates and nothing is written."""
        return 300, [f"/services/data/v{call.version}/sobjects/{name}/{row['Id']}" for row in found]

    def _key(self, name: str, key: str) -> None:
        self._store.object(name)
        item = self._store.visible(name, key)
        if item is None or not (item.external_id or item.id_lookup):
            text = f"Provided external ID field does not exist or is not accessible: {key}"
            raise Refusal("NOT_FOUND", text, status=404, whole=True)

    def _upserted(self, call: Incoming, name: str, row: Row | None, values: Row) -> dict[str, Any]:
        if row is None:
            saved = self._store.create(name, values, self.user, bypass=_allows_duplicates(call))
        else:
            saved = self._store.update(name, row["Id"], values, self.user)
        return {"id": saved["Id"], "success": True, "errors": [], "created": row is None}

    # -- collections -------------------------------------------------------------------------------

    def _create_many(self, call: Incoming) -> Reply:
        def create(name: str, record: Row, values: Row) -> dict[str, Any]:  # noqa: ARG001 - one shape for all
            made = self._store.create(name, values, self.user, bypass=_allows_duplicates(call))
            return {"id": made["Id"], "success": True, "errors": []}

        return self._many(call, create)

    def _update_many(self, call: Incoming) -> Reply:
        ids = [full_id(str(record.get("Id") or record.get("id") or "")) for record in _records(call)]

        def update(name: str, record: Row, values: Row) -> dict[str, Any]:
            id_ = full_id(str(record.get("Id") or record.get("id") or ""))
            if not id_:
                raise Refusal("MISSING_ARGUMENT", "Id not specified in an update call")
            if ids.count(id_) > 1:
                raise Refusal("DUPLICATE_VALUE", f"Duplicate id specified: {id_}")
            self._store.update(name, id_, values, self.user)
            return {"id": id_, "success": True, "errors": []}

        return self._many(call, update)

    def _upsert_many(self, call: Incoming, name: str, key: str) -> Reply:
        if key != "Id":
            self._key(name, key)
        if any(record.get("attributes", {}).get("type") != name for record in _records(call)):
            raise Refusal("INVALID_TYPE", "all records of an upsert must be of one type", whole=True)
        keys = [record.get(key) for record in _records(call)]

        def upsert(name: str, record: Row, values: Row) -> dict[str, Any]:
            wanted = record.get(key)
            if key == "Id":
                return self._upserted(call, name, self._store.get(name, wanted) if wanted else None, values)
            if wanted in {None, ""}:
                raise Refusal("MISSING_ARGUMENT", f"{key} not specified", (key,))
            if keys.count(wanted) > 1:
                raise Refusal("DUPLICATE_VALUE", f"Duplicate external id specified: {wanted}", (key,))
            found = self._store.by_value(name, key, wanted)
            if len(found) > 1:
                raise Refusal(
                    "DUPLICATE_EXTERNAL_ID", f"{key}: more than one record found for external id field", (key,)
                )
            return self._upserted(call, name, found[0] if found else None, values)

        return self._many(call, upsert)

    def _delete_many(self, call: Incoming) -> Reply:
        ids = [part for part in call.args.get("ids", "").split(",") if part]
        prefixes = {kind.prefix: kind.name for kind in self._store.objects.values()}
        records = [{"attributes": {"type": prefixes.get(id_[:3], "Account")}, "Id": id_} for id_ in ids]
        call.body = {"allOrNone": call.args.get("allOrNone") == "true", "records": records}

        def delete(name: str, record: Row, values: Row) -> dict[str, Any]:  # noqa: ARG001 - one shape for all
            self._store.delete(name, record["Id"], self.user)
            return {"id": full_id(record["Id"]), "success": True, "errors": []}

        return self._many(call, delete)

    def _many(self, call: Incoming, save: Callable[[str, Row, Row], dict[str, Any]]) -> Reply:
        """200 with one item per record, in order, even when records fail."""
        records = _records(call)
        if len(records) > COLLECTION_LIMIT:
            text = f"record limit reached. cannot submit more than {COLLECTION_LIMIT} records into this call"
            raise Refusal("EXCEEDED_ID_LIMIT", text, whole=True)
        self._check_chunks(records)
        self._count_writes(len(records))
        parsed = [self._parsed(record) for record in records]
        before = (
            {name: dict(table) for name, table in self._store.tables.items()} if call.body.get("allOrNone") else None
        )
        items = [self._item(save, *one) for one in parsed]
        if before is not None and not all(item["success"] for item in items):
            self._store.tables = before
            self._store.index.clear()
            items = [{"success": False, "errors": [ALL_OR_NONE]} if item["success"] else item for item in items]
        return 200, items

    def _parsed(self, record: Row) -> tuple[str, Row, Row | Refusal]:
        name = str(record.get("attributes", {}).get("type", ""))
        self._store.object(name)
        try:
            return name, record, self._store.parse(name, record)
        except Refusal as refusal:
            if refusal.whole:
                raise
            return name, record, refusal

    def _item(
        self, save: Callable[[str, Row, Row], dict[str, Any]], name: str, record: Row, values: Row | Refusal
    ) -> dict[str, Any]:
        try:
            if isinstance(values, Refusal):
                raise values
            return save(name, record, values)
        except Refusal as refusal:
            named = {"id": full_id(record["Id"])} if record.get("Id") else {}
            return {**named, "success": False, "errors": [refusal.item()]}

    def _check_chunks(self, records: list[Row]) -> None:
        types = [record.get("attributes", {}).get("type") for record in records]
        chunks = sum(1 for place, kind in enumerate(types) if place == 0 or types[place - 1] != kind)
        if chunks > CHUNK_LIMIT:
            text = f"Cannot have more than {CHUNK_LIMIT} chunks in a single operation. Please rearrange the data"
            raise Refusal("LIMIT_EXCEEDED", text, whole=True)


def _records(call: Incoming) -> list[Row]:
    records = call.body.get("records") if isinstance(call.body, Mapping) else None
    if not isinstance(records, list) or not all(isinstance(record, Mapping) for record in records):
        raise Refusal("JSON_PARSER_ERROR", "The request body holds no records", whole=True)
    return records


def _absent() -> Refusal:
    return Refusal("NOT_FOUND", "The requested resource does not exist", status=404)


def _allows_duplicates(call: Incoming) -> bool:
    return "allowsave=true" in call.headers.get("sforce-duplicate-rule-header", "").lower().replace(" ", "")
