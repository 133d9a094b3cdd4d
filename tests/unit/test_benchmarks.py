"""The benchmarks run and count; nothing here looks at the time."""

from __future__ import annotations

import orjson
import pytest

from benchmarks import bare, engine, report
from benchmarks.__main__ import main
from benchmarks.accounts import COLUMNS, OBJECT, SELECT, account, account_id, rendered
from benchmarks.measure import Runs, control, source
from connectors.salesforce.ids import is_id

RECORDS = 250


def test_an_account_has_27_values_in_every_selected_column():
    row = orjson.loads(rendered(account(7)))
    assert {column.partition(".")[0] for column in COLUMNS} == set(row) - {"attributes"}
    assert sum(value is not None for name, value in row.items() if name != "attributes") == 27
    assert is_id(account_id(123_456))
    assert OBJECT.name == "Account"


def test_the_hub_and_the_bare_limit_read_the_same_and_the_hub_writes_what_it_owes(tmp_path):
    state = f"sqlite:///{tmp_path / 'hub.db'}"
    started = []
    with source(RECORDS) as url:
        assert engine.full(url, state, lambda: started.append(1)) == RECORDS
        assert control(url, "count")["calls"] == report.LOGIN_CALLS + 1
        plain = (url, str(tmp_path / "bare.db"), SELECT)
        assert bare.load(*plain, "", list(COLUMNS), lambda: started.append(1)) == RECORDS
        control(url, "change", share=0.1)
        assert engine.incremental(url, state, lambda: None) == RECORDS / 10
        assert bare.load(*plain, "2026-01-01T00:00:00.000Z", list(COLUMNS), lambda: None) == RECORDS / 10
        assert engine.sweep(url, state, lambda: None) == RECORDS
        owed = engine.owe(url, state, lambda: None)
        assert 0 < engine.write(url, state, lambda: None) == owed
    assert started == [1, 1]


def test_goals_are_marked():
    runs = Runs()
    for who, seconds in (("bare", 1.0), ("hub", 2.0)):
        for task in ("full", "incremental", "sweep"):
            runs.add(who, task, {"seconds": seconds, "cpu": 1.0, "whole": 1.0, "peak": 90.0, "calls": 4.0})
    marked = {goal.what: goal.met for goal in report.goals(runs, 2000, {10: 90.0, 20: 200.0})}
    assert marked["full load, hub over bare limit"]
    assert not marked["incremental load, hub over bare limit"]
    assert not marked["peak at 20 over peak at 10 records"]
    assert marked["HTTP calls, full"]


def test_the_command_line_is_told():
    with pytest.raises(SystemExit):
        main(["--help"])
