"""Which refusal of Salesforce becomes which error of the hub, end to end over the simulated org.

Not here: retries and log-ins (`test_salesforce_wire.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.salesforce import errors
from connectors.salesforce.description import capabilities
from connectors.salesforce.simulator_schema import picks, text
from connectors.salesforce.simulator_store import Refusal, Row
from fsm_core.errors import (
    BadMapping,
    CursorExpired,
    Drift,
    Duplicate,
    HubError,
    Invalid,
    Locked,
    MissingPermission,
    NotFound,
    RateLimited,
    Stale,
    Unauthorised,
    UnknownOutcome,
    Unreachable,
)
from fsm_core.ports import Action, Creates, Deletes, Json, Object, Write
from tests.contract.harness_salesforce import SalesforceHarness

HTML = {"body": "<html>Down for maintenance</html>", "content_type": "text/html"}


@pytest.fixture
def org() -> Iterator[SalesforceHarness]:
    with SalesforceHarness() as harness:
        yield harness


def update(id_: str, **fields: Json) -> Write:
    return Write(Action.UPDATE, id_, fields=fields)


def create(key: str, **fields: Json) -> Write:
    return Write(Action.CREATE, key=key, fields={"Name": "Made", **fields})


def failure(org: SalesforceHarness, write: Write) -> HubError:
    [outcome] = org.connector().write(org.obj, [write])
    assert outcome.error is not None
    return outcome.error


# -- one record --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        ({"Name": "x" * 256}, "STRING_TOO_LONG", "Name"),
        ({"Name": ""}, "REQUIRED_FIELD_MISSING", "Name"),
        ({"FSM_Billing_Status__c": "Closed"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "FSM_Billing_Status__c"),
        ({"FSM_Roles__c": "Payer;Janitor"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "FSM_Roles__c"),
        ({"LastActivityDate": "2026-01-01"}, "INVALID_FIELD_FOR_INSERT_UPDATE", "LastActivityDate"),
        ({"ParentId": "0015g0000009999AAA"}, "INVALID_CROSS_REFERENCE_KEY", "ParentId"),
        ({"ParentId": "nobody"}, "MALFORMED_ID", "ParentId"),
        ({"NumberOfEmployees": "many"}, "JSON_PARSER_ERROR", ""),
    ],
)
def test_a_bad_value_names_its_field(org, fields, code, named):
    error = failure(org, update(org.create("There"), **fields))
    assert (type(error), error.code, error.field) == (Invalid, code, named)
    assert (error.system, error.object, error.id) == ("salesforce", "Account", org.ids()[0])


def test_a_validation_rule_speaks_for_itself(org):
    org.refuse_next_write()
    error = failure(org, create("H-1", Name="BAD"))
    assert (type(error), error.code, error.id) == (Invalid, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "H-1")
    assert "This name is not welcome" in str(error)


def test_a_locked_record_may_be_tried_again(org):
    id_ = org.create("There")
    org.simulator.store.locked.add(id_)
    assert isinstance(failure(org, update(id_, Name="New")), Locked)
    assert isinstance(failure(org, Write(Action.DELETE, id_)), Locked)


@pytest.mark.parametrize("action", [Action.UPDATE, Action.DELETE])
def test_a_record_that_is_gone_is_not_found(org, action):
    binned, purged = org.create("Binned"), org.create("Purged")
    org.remove(purged)
    org.simulator.purge("Account")
    org.remove(binned)
    outcomes = org.connector().write(org.obj, [Write(action, binned), Write(action, purged)])
    assert [type(outcome.error) for outcome in outcomes] == [NotFound, NotFound]


def test_a_value_that_must_be_unique_names_who_has_it(org):
    first = org.simulator.edit("Account", "", {"Name": "First", "FSM_Hub_Id__c": "H-1"})["Id"]
    error = failure(org, update(org.create("Second"), FSM_Hub_Id__c="H-1"))
    assert isinstance(error, Duplicate)
    assert (error.code, error.others) == ("DUPLICATE_VALUE", (first,))


def test_a_duplicate_rule_names_the_others(org):
    first = org.create("Twin")
    org.simulator.store.duplicate_rules.append(lambda name, row: _twin(first, name, row))
    error = failure(org, create("H-1", Name="Twin"))
    assert isinstance(error, Duplicate)
    assert (error.code, error.others) == ("DUPLICATES_DETECTED", (first,))
    [saved] = org.connector(allow_duplicates=True).write(org.obj, [create("H-1", Name="Twin")])
    assert (saved.error, saved.created) == (None, True)


def _twin(other: str, name: str, row: Row) -> Refusal | None:
    if row["Name"] != "Twin" or row["Id"] == other:
        return None
    record = {"attributes": {"type": name, "url": f"/services/data/v62.0/sobjects/{name}/{other}"}, "Id": other}
    match = {
        "entityType": name,
        "errors": [],
        "matchEngine": "FuzzyMatchEngine",
        "matchRecords": [{"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0, "record": record}],
        "rule": "Standard_Account_Match_Rule_v1_0",
        "size": 1,
        "success": True,
    }
    result = {
        "allowSave": True,
        "duplicateRule": "Standard_Account_Duplicate_Rule",
        "duplicateRuleEntityType": name,
        "errorMessage": "Use one of these records?",
        "matchResults": [match],
    }
    return Refusal("DUPLICATES_DETECTED", "Use one of these records?", extra={"duplicateResult": result})


def test_one_unreadable_value_does_not_spoil_the_batch(org):
    ids = [org.create(f"A{number}") for number in range(9)]
    writes = [update(id_, NumberOfEmployees="many" if number == 4 else number) for number, id_ in enumerate(ids)]
    outcomes = org.connector().write(org.obj, writes)
    assert [type(outcome.error).__name__ for outcome in outcomes] == ["NoneType"] * 4 + ["Invalid"] + ["NoneType"] * 4
    assert [org.stored(id_)["NumberOfEmployees"] for id_ in ids] == [0, 1, 2, 3, None, 5, 6, 7, 8]


# -- the whole call ----------------------------------------------------------------------------


def test_a_field_that_vanished_is_drift(org):
    id_ = org.create("There")
    org.simulator.store.hidden.add(("Account", "Site"))
    sf = org.connector()
    for attempt in (
        lambda: list(sf.changes(org.obj, None)),
        lambda: sf.read(org.obj, [id_]),
        lambda: sf.write(org.obj, [update(id_, Site="x")]),
    ):
        with pytest.raises(Drift, match="Site") as caught:
            attempt()
        assert (caught.value.system, caught.value.object) == ("salesforce", "Account")


def test_drift_after_a_success_keeps_the_success(org):
    id_ = org.create("There")
    outcomes = org.connector().write(org.obj, [create("H-1"), update(id_, Vanished__c="x")])
    assert outcomes[0].created
    assert isinstance(outcomes[1].error, Drift)


def test_an_object_that_vanished_is_drift(org):
    with pytest.raises(Drift) as caught:
        list(org.connector().changes(Object("Vanished__c"), None))
    assert caught.value.code == "INVALID_TYPE"


def test_a_filter_that_is_no_soql_is_a_bad_mapping(org):
    with pytest.raises(BadMapping):
        list(org.connector().changes(Object("Account", filter="Name = = 'x'"), None))


def test_a_bracket_path_is_a_bad_mapping(org):
    with pytest.raises(BadMapping, match="Usage"):
        list(org.connector().changes(Object("Account", ("Addresses[Usage=X].City",)), None))


@pytest.mark.parametrize(("daily", "wait"), [(True, None), (False, errors.SHORT_WAIT)])
def test_the_two_request_limits_are_told_apart(org, daily, wait):
    id_ = org.create("There")
    sf = org.connector()
    sf.check()
    org.simulator.api_limit = org.simulator.api_used if daily else org.simulator.api_limit
    org.simulator.concurrency_exceeded = not daily
    with pytest.raises(RateLimited) as caught:
        sf.read(org.obj, [id_])
    assert (caught.value.daily, caught.value.retry_after) == (daily, wait)
    outcomes = sf.write(org.obj, [update(id_, Name="x"), create("H-1")])
    assert [type(outcome.error) for outcome in outcomes] == [RateLimited, RateLimited]
    assert org.stored(id_)["Name"] == "There"


def test_the_quota_counts_down(org):
    sf = org.connector()
    first = sf.check().quota
    second = sf.check().quota
    sf.read(org.obj, [org.create("There")])
    assert first is not None
    assert second is not None
    assert sf.edge.quota.used == first.used + 1
    assert first.limit == 100_000


def test_a_login_that_was_withdrawn(org):
    sf = org.connector()
    sf.check()
    org.simulator.app.approved = False
    org.simulator.tokens.revoke()
    with pytest.raises(Unauthorised, match="no client credentials user enabled"):
        sf.read(org.obj, [org.create("There")])


def test_a_withdrawn_login_stops_a_write_before_it_began(org):
    org.simulator.app.approved = False
    with pytest.raises(Unauthorised):
        org.connector().write(org.obj, [create("H-1")])


# -- answers that cannot be trusted ------------------------------------------------------------


@pytest.mark.parametrize("fault", [{"status": 200, **HTML}, {"truncate": 40}, {"status": 200, "body": '{"a":1}'}])
def test_a_strange_answer_to_a_read_is_no_answer(org, fault):
    id_ = org.create("There")
    sf = org.connector()
    sf.check()
    org.simulator.fail(path="/queryAll", **fault)
    with pytest.raises(Unreachable):
        sf.read(org.obj, [id_])


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 200, **HTML},
        {"truncate": 20},
        {"status": 200, "body": "[]"},
        {"status": 500, **HTML},
        {"drop": "after"},
    ],
)
def test_a_strange_answer_to_a_write_leaves_the_outcome_open(org, fault):
    ids = [org.create("A"), org.create("B")]
    sf = org.connector()
    sf.check()
    org.simulator.fail(method="PATCH", path="/composite/sobjects", **fault)
    outcomes = sf.write(org.obj, [update(id_, Name="New") for id_ in ids] + [Write(Action.DELETE, ids[0])])
    assert [type(outcome.error) for outcome in outcomes] == [UnknownOutcome, UnknownOutcome, Unreachable]
    assert [outcome.id for outcome in outcomes] == [*ids, ids[0]]
    assert org.simulator.writes() <= 2


def test_an_error_in_json_with_500_leaves_the_outcome_open(org):
    id_ = org.create("There")
    body = '[{"message":"An unexpected error occurred","errorCode":"UNKNOWN_EXCEPTION"}]'
    org.simulator.fail(method="PATCH", path="/composite/sobjects", status=500, body=body)
    assert isinstance(failure(org, update(id_, Name="New")), UnknownOutcome)


def test_a_redirect_is_not_followed(org):
    org.simulator.fail(path="/queryAll", status=302, headers={"Location": "https://login.invalid/"}, **HTML)
    sf = org.connector()
    with pytest.raises(Unreachable):
        sf.check()


# -- the table itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "INVALID_SESSION_ID", Unauthorised),
        (403, "API_DISABLED_FOR_ORG", MissingPermission),
        (403, "", MissingPermission),
        (400, "QUERY_TIMEOUT", Unreachable),
        (400, "INVALID_QUERY_LOCATOR", CursorExpired),
        (400, "UNABLE_TO_LOCK_ROW", Locked),
        (404, "NOT_FOUND", Drift),
        (412, "", Stale),
        (300, "", Duplicate),
        (503, "SERVER_UNAVAILABLE", Unreachable),
        (418, "SOMETHING_NEW", Invalid),
    ],
)
def test_a_refused_call(status, code, kind):
    body = [{"message": "No", "errorCode": code}] if code else "text"
    assert type(errors.of_call(status, body)) is kind


@pytest.mark.parametrize(
    ("code", "fields", "kind"),
    [
        ("INVALID_FIELD", ["A"], Invalid),
        ("INSUFFICIENT_ACCESS_OR_READONLY", [], Invalid),
        ("ENTITY_IS_DELETED", [], NotFound),
        ("INVALID_CROSS_REFERENCE_KEY", [], NotFound),
        ("INVALID_CROSS_REFERENCE_KEY", ["ParentId"], Invalid),
        ("DUPLICATE_EXTERNAL_ID", ["Key__c"], Duplicate),
        ("UNABLE_TO_LOCK_ROW", [], Locked),
        ("SOMETHING_NEW", [], Invalid),
    ],
)
def test_a_refused_record(code, fields, kind):
    error = errors.of_item([{"statusCode": code, "message": "No", "fields": fields}])
    assert (type(error), error.field) == (kind, ", ".join(fields))


def test_a_refusal_without_a_reason():
    assert isinstance(errors.of_item([]), Invalid)


# -- capabilities ------------------------------------------------------------------------------


def test_what_the_account_lets_us_do(org):
    org.simulator.store.hidden.add(("Account", "Fax"))
    asked = (
        "Name",
        "OwnerId",
        "FSM_Billing_Status__c",
        "Type",
        "CreatedDate",
        "IsPartner",
        "Fax",
        "Owner.Name",
        "No.Such",
    )
    found = org.connector().describe([Object("Account", asked, "FSM_Hub_Id__c"), Object("Vanished__c")])
    assert list(found.objects) == ["Account"]
    account = found.objects["Account"]
    assert set(account.fields) == {*asked, "FSM_Hub_Id__c"} - {"Fax", "No.Such"}
    assert (account.fields["Name"].required, account.fields["Name"].length) == (True, 255)
    assert not account.fields["OwnerId"].required
    assert account.fields["FSM_Billing_Status__c"].values == ("None", "Active", "Blocked")
    assert account.fields["Type"].values == ()
    assert not account.fields["CreatedDate"].writable
    assert (account.fields["IsPartner"].creatable, account.fields["IsPartner"].writable) == (False, True)
    assert (account.fields["Owner.Name"].readable, account.fields["Owner.Name"].writable) == (True, False)
    assert (account.creates, account.deletes, account.compare_and_set) == (
        Creates.UPSERT_KEY,
        Deletes.TOMBSTONES,
        False,
    )
    assert (account.batch, account.overlap.total_seconds()) == (200, 600)
    assert account.can_delete


def test_an_object_the_user_may_not_delete_is_described_so():
    described = {"createable": True, "deletable": False, "fields": []}
    assert not capabilities(Object("Account"), described, 0).can_delete


def test_a_key_that_is_no_external_id_must_be_probed(org):
    org.simulator.store.objects["Account"].add(text("Plain__c", 36), picks("New__c", "A"))
    found = org.connector().describe([Object("Account", ("New__c",), "Plain__c")])
    assert found.objects["Account"].creates == Creates.PROBE


def test_automation_there_is_seen_by_reading_back(org):
    org.simulator.store.automation.append(lambda _name, row: {"Site": str(row["Name"]).upper()})
    sf = org.connector()
    [saved] = sf.write(org.obj, [create("H-1", Name="quiet", Site="ours")])
    [back] = sf.read(org.obj, [saved.id])
    assert back.document == {"Name": "quiet", "Site": "QUIET", "FSM_Hub_Id__c": "H-1"}
