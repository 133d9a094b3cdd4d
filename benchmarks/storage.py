"""Measures hub records kept as documents with typed views against typed tables, on SQLite and PostgreSQL.

Not here: the hub's own store, validation, networks, or several writers at once.
"""
# ruff: noqa: S608 - every name in the SQL below comes from the entity class or a literal, never from data

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Callable, Sequence
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import orjson
from sqlalchemy import Connection, create_engine

from fsm_core.model import shape
from fsm_core.model.compare import Comparator, canonical, digest

Document: TypeAlias = dict[str, Any]

PAGE, SCHEMA, OURS = 2_000, "benchmark_storage", "WHERE entity = 'customer'"
CUSTOMER = shape("customer").fields
CURRENCIES = {"DE": "EUR", "AT": "EUR", "CH": "CHF", "GB": "GBP", "DK": "DKK", "PL": "PLN", "CZ": "CZK", "US": "USD"}
BILLING = ("active",) * 35 + ("none",) * 14 + ("blocked",)
INDEXED = {"account": ["account_number"], "billing": ["billing_status"], "country": ["billing_address", "country"]}


class Dialect(NamedTuple):
    """Where the two databases spell the same thing differently."""

    mark: str
    blob: str
    json: str
    among: str
    read_json: str
    size: str
    path: Callable[..., str]
    ids: Callable[[list[str]], tuple[Any]]
    setup: tuple[str, ...]


SQLITE = Dialect(
    "?", "BLOB", "TEXT", "IN (SELECT value FROM json_each(?))", "{}",
    "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    lambda column, *names: f"{column} ->> '$.{'.'.join(names)}'", lambda ids: (orjson.dumps(ids).decode(),),
    ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL"),
)  # fmt: skip
POSTGRES = Dialect(
    "%s", "BYTEA", "JSONB", "= ANY(%s)", "{}::text",
    f"SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
    f" WHERE relkind = 'r' AND relnamespace::regnamespace::text = '{SCHEMA}'",
    lambda column, *names: " -> ".join([column, *map(repr, names[:-1])]) + f" ->> {names[-1]!r}",
    lambda ids: (ids,),
    (f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE", f"CREATE SCHEMA {SCHEMA}", f"SET search_path TO {SCHEMA}"),
)  # fmt: skip


class Design(NamedTuple):
    """One way to keep customers; both answer the same SQL under the name `customer`."""

    table: str
    columns: tuple[str, ...]
    key: str
    create: list[str]
    read: str
    whole: str
    country: str
    credit: str
    migrations: dict[str, list[str]]
    row: Callable[[str, bytes, bytes, Document], tuple[Any, ...]]
    document: Callable[[Sequence[Any]], Document]


def documents(dialect: Dialect) -> Design:
    """One `record` table with canonical JSON, a generated view over it, expression indexes."""
    columns = f"entity TEXT NOT NULL, id TEXT NOT NULL, version INTEGER, hash {dialect.blob}, doc {dialect.json}"
    index = f"CREATE INDEX record_{{}} ON record (({{}})) {OURS}"
    return Design(
        "record", ("entity", "id", "version", "hash", "doc"), "entity, id",
        [f"CREATE TABLE record ({columns}, PRIMARY KEY (entity, id))", _view(dialect, FIELDS),
         *[index.format(name, dialect.path("doc", *names)) for name, names in INDEXED.items()]],
        f"SELECT {{}} FROM record {OURS}", dialect.read_json.format("doc"),
        country="billing_address_country", credit=f"CAST(credit_limit AS {'REAL' if dialect is SQLITE else 'NUMERIC'})",
        migrations={"add a field, ms": ["DROP VIEW customer", _view(dialect, (*FIELDS, "price_list"))],
                    "drop a field, ms": ["DROP VIEW customer", _view(dialect, [n for n in FIELDS if n != "segment"])],
                    "index one more field, ms": [index.format("industry", dialect.path("doc", "industry"))]},
        row=lambda key, found, encoded, _: ("customer", key, 1, found, encoded.decode()),
        document=lambda row: orjson.loads(row[0]),
    )  # fmt: skip


def _view(dialect: Dialect, fields: Sequence[str]) -> str:
    paths = [path for name in fields for path in [[name, part] for part in CUSTOMER[name].members] or [[name]]]
    columns = ", ".join(f"{dialect.path('doc', *path)} AS {'_'.join(path)}" for path in paths)
    return f"CREATE VIEW customer AS SELECT id, version, {columns} FROM record {OURS}"


def typed(dialect: Dialect) -> Design:
    """A `customer` table with a column per field: JSON for sets and groups only, money as scaled integers."""
    facts = ((name, CUSTOMER[name]) for name in FIELDS)
    kinds = {name: "JSON" if fact.members else KINDS.get(fact.comparator, "TEXT") for name, fact in facts}
    codecs = [(name, *CODECS[kind]) for name, kind in kinds.items()]
    reads = [dialect.read_json.format(name) if kind == "JSON" else name for name, kind in kinds.items()]
    types = ", ".join(f"{name} {dialect.json if kind == 'JSON' else kind}" for name, kind in kinds.items())
    country = dialect.path("billing_address", "country")
    index = "CREATE INDEX customer_{} ON customer (({}))"
    return Design(
        "customer", ("id", "version", "hash", *FIELDS), "id",
        [f"CREATE TABLE customer (id TEXT NOT NULL PRIMARY KEY, version INTEGER, hash {dialect.blob}, {types})",
         *[index.format(name, names[0] if len(names) == 1 else country) for name, names in INDEXED.items()]],
        "SELECT {} FROM customer WHERE true", ", ".join(reads), country=country, credit="credit_limit",
        migrations={"add a field, ms": ["ALTER TABLE customer ADD COLUMN price_list TEXT"],
                    "drop a field, ms": ["ALTER TABLE customer DROP COLUMN segment"],
                    "index one more field, ms": [index.format("industry", "industry")]},
        row=lambda key, found, _, stated: (
            key, 1, found, *[None if (v := stated.get(n)) is None else code(v) for n, code, _ in codecs]),
        document=lambda row: {n: code(v) for (n, _, code), v in zip(codecs, row, strict=True) if v is not None},
    )  # fmt: skip


KINDS = {Comparator.SET: "JSON", Comparator.DECIMAL: "BIGINT", Comparator.FLAG: "BOOLEAN"}
CODECS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "TEXT": (str, str), "BOOLEAN": (bool, bool),
    "BIGINT": (lambda value: int(Decimal(value).scaleb(2)), lambda value: str(Decimal(value).scaleb(-2))),
    "JSON": (lambda value: canonical(value).decode(), orjson.loads),
}  # fmt: skip


def identity(number: int) -> str:
    """A hub id: as scattered as a random one, yet the same in every run."""
    return digest(number.to_bytes(8, "big")).hex()


def customer(number: int, changed_in_ten: int) -> Document:
    """A plausible customer of about 640 bytes; so many in ten have a new phone number and credit limit."""
    edition = int(number % 10 < changed_in_ten)
    country, name = [*CURRENCIES][number % 8], f"Field Service Company {number:07d}"
    return {
        "legal_name": f"{name} Limited", "kind": "organisation", "account_number": f"AC-{number:08d}",
        "trade_name": name, "roles": ["bill_to", "customer"], "tax_ids": [f"VAT:{country}{number:09d}"],
        "status": "active", "billing_status": BILLING[number % 50], "industry": f"IND{number % 40:02d}",
        "segment": "ABC"[number % 3], "account_manager": f"Manager {number % 90}",
        "phone": f"+49 30 {number:07d}{edition}", "email": f"office@company{number:07d}.example",
        "website": f"https://company{number:07d}.example", "currency": CURRENCIES[country],
        "billing_address": {"street": "Lange Strasse", "number": str(number % 200), "postcode": f"{number % 99_999:05}",
                            "city": f"City {number % 5_000}", "country": country},
        "payment_terms": f"NET{number // 8 % 6 * 15}", "credit_block": number % 33 == 0, "language": "de",
        "credit_limit": f"{number % 90_000 + edition}.{number * 7 % 97:02d}",
    }  # fmt: skip


FIELDS = tuple(customer(0, 0))
INVOICES = (
    "CREATE TABLE invoice (id INTEGER PRIMARY KEY, customer_id TEXT NOT NULL, amount BIGINT NOT NULL)",
    "INSERT INTO invoice SELECT row_number() OVER (ORDER BY id), id, row_number() OVER (ORDER BY id) * 37 FROM {}",
    "CREATE INDEX invoice_customer ON invoice (customer_id)",
)


class Bench:
    """One design on one database, in a process of its own so that its peak memory is its own."""

    def __init__(self, connection: Connection, dialect: Dialect, design: Design, records: int) -> None:
        self._connection, self._dialect, self._design, self._records = connection, dialect, design, records
        self._sql, self._by_id = connection.exec_driver_sql, f"{design.read} AND id {dialect.among}"

    def run(self) -> dict[str, float]:
        """Figures by step name, the unit in the name."""
        self._do(*self._dialect.setup, *self._design.create)
        found = {"upsert into empty, s": self._load(0)}
        found["size on disk, MB"] = float(self._sql(self._dialect.size).scalar_one()) / 1e6
        self._do(*(statement.format(self._design.table) for statement in INVOICES))
        found |= {"upsert, 0 % changed, s": self._load(0), "upsert, 10 % changed, s": self._load(1)}
        if self._dialect is POSTGRES:  # SQLite keeps averages only: they turn its planner away from the right index
            self._do("ANALYZE")
        found |= self._reads() | self._finance()
        found |= {name: self._do(*statements) for name, statements in self._design.migrations.items()}
        found["peak memory of the client, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return found

    def _load(self, changed_in_ten: int) -> float:
        design, marks = self._design, ", ".join([self._dialect.mark] * len(self._design.columns))
        updates = [f"{name} = excluded.{name}" for name in design.columns if name not in {"entity", "id", "version"}]
        insert = f"INSERT INTO {design.table} ({', '.join(design.columns)}) VALUES ({marks}) ON CONFLICT ({design.key})"
        upsert = f"{insert} DO UPDATE SET version = {design.table}.version + 1, {', '.join(updates)}"
        starts = range(0, self._records, PAGE)
        return sum(self._page(upsert, range(n, min(n + PAGE, self._records)), changed_in_ten) for n in starts)

    def _page(self, upsert: str, numbers: range, changed_in_ten: int) -> float:
        customers = [(identity(number), customer(number, changed_in_ten)) for number in numbers]
        start = perf_counter()
        rows = self._sql(self._by_id.format("id, hash"), self._dialect.ids([key for key, _ in customers]))
        known = {row[0]: row[1] for row in rows}
        hashed = ((key, digest(data := canonical(document)), data, document) for key, document in customers)
        changed = [self._design.row(*entry) for entry in hashed if known.get(entry[0]) != entry[1]]
        if changed:
            self._sql(upsert, changed)
        self._connection.commit()
        return perf_counter() - start

    def _reads(self) -> dict[str, float]:
        start = perf_counter()
        rows = self._sql(self._design.read.format(self._design.whole), execution_options={"stream_results": True})
        if sum(1 for row in rows if self._design.document(row)) != self._records:
            raise AssertionError("load all did not give every record back")
        found = {"load all, s": perf_counter() - start, "load 2,000 by id, ms": median(map(self._by_ids, range(21)))}
        start = perf_counter()
        for n in range(1_000):
            self._sql(f"SELECT id FROM customer WHERE account_number = {self._dialect.mark}", (f"AC-{n:08d}",)).one()
        return {**found, "find by an indexed field, ms": perf_counter() - start}

    def _by_ids(self, turn: int) -> float:
        numbers = [(turn + step * 7_919) % self._records for step in range(PAGE)]
        start = perf_counter()
        rows = self._sql(self._by_id.format(self._design.whole), self._dialect.ids(list(map(identity, numbers))))
        found = {document["account_number"]: document for document in map(self._design.document, rows)}
        seconds = perf_counter() - start
        if any(found[f"AC-{number:08d}"] != customer(number, 1) for number in numbers):
            raise AssertionError("a record did not come back as it was written")
        return seconds * 1e3

    def _finance(self) -> dict[str, float]:
        by = f"WHERE billing_status = 'active' GROUP BY {self._design.country}, currency, payment_terms"
        money = f"SELECT sum({self._design.credit}) FROM customer"
        queries = {
            "group customers, sum a money field, ms": f"{money} {by}",
            "the same, the 2 % blocked, ms": f"{money} {by.replace('active', 'blocked')}",
            "join invoices, ms": f"SELECT sum(amount) FROM invoice JOIN customer ON customer.id = customer_id {by}",
            "sum invoices alone, ms": "SELECT sum(amount) FROM invoice",
        }
        found = {name: median(self._do(query) for _ in range(5)) for name, query in queries.items()}
        cents = Decimal(self._sql(money).scalar_one()) * (1 if self._design.table == "customer" else 100)
        truth = sum(Decimal(customer(n, 1)["credit_limit"]) for n in range(self._records)) * 100
        return {**found, "error of that sum, millionths of a cent": float(abs(cents - truth) * 1_000_000)}

    def _do(self, *statements: str) -> float:
        start = perf_counter()
        for statement in statements:
            if (result := self._sql(statement)).returns_rows:
                result.all()
        self._connection.commit()
        return (perf_counter() - start) * 1e3


def measure(database: str, design: Callable[[Dialect], Design], records: int) -> dict[str, float]:
    """Run one design in an empty database: a SQLite file in a folder, or a schema of our own in a PostgreSQL."""
    dialect = POSTGRES if database.startswith("postgresql") else SQLITE
    url = database if dialect is POSTGRES else f"sqlite:///{tempfile.mkdtemp(dir=database)}/hub.db"
    with create_engine(url).connect() as connection:
        return Bench(connection, dialect, design(dialect), records).run()


def rounds(databases: list[str], records: int, count: int) -> dict[str, dict[str, float]]:
    """Medians by database and design; the designs take turns, and swap who goes first."""
    runs: dict[str, list[dict[str, float]]] = {}
    for turn in range(count):
        for database in databases:
            for design in (documents, typed)[:: -1 if turn % 2 else 1]:
                name = f"{'PostgreSQL' if database.startswith('postgresql') else 'SQLite'} {design.__name__}"
                with get_context("spawn").Pool(1) as pool:
                    runs.setdefault(name, []).append(pool.apply(measure, (database, design, records)))
    return {name: {step: median(run[step] for run in runs[name]) for step in runs[name][0]} for name in sorted(runs)}


def table(found: dict[str, dict[str, float]]) -> str:
    """A Markdown table; `t/d` is typed over documents: above 1 the documents are better."""
    names = list(found)
    head = " | ".join(["step", *(f"{name} | typed | t/d" for name in names[::2])])
    lines = [f"| {head} |", "|---|" + "---:|" * head.count("|")]
    for step in found[names[0]]:
        pairs = [(found[a][step], found[b][step]) for a, b in zip(names[::2], names[1::2], strict=True)]
        cells = [f"{a:,.2f} | {b:,.2f} | {b / a if a else 1:.2f}" for a, b in pairs]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, write JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=__doc__)
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", metavar="URL", help=f"postgresql+psycopg://..; touches its schema {SCHEMA} only")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = rounds([place for place in (folder, options.postgres) if place], options.records, options.rounds)
    print(table(found))
    if options.json:
        options.json.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()
