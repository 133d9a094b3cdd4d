"""What the Salesforce connector puts on the wire, byte for byte where it matters.

Not here: shapes that were recorded (`test_salesforce_recorded.py`), meaning of errors (`test_salesforce_errors.py`).
"""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
import respx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.http import Patience
from connectors.salesforce import Salesforce, SalesforceSettings, connect
from connectors.salesforce.simulator import SalesforceSimulator
from connectors.salesforce.transport import Answer
from fsm_core.errors import BadMapping, Invalid, RateLimited, Unauthorised, UnknownOutcome, Unreachable
from fsm_core.ports import Action, KeyRef, Object, Row, Write

LOGIN = "https://login.salesforce.com"
ORG = "https://mine.my.salesforce.com"
DATA = f"{ORG}/services/data/v62.0"
EMPTY = {"totalSize": 0, "done": True, "records": []}
ACCOUNT = Object("Account", ("Name", "Owner.Name"), "FSM_Hub_Id__c", "Type != 'Other'")
NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
ID_A, ID_B = "0015500001QdZPKAA3", "0012300000bVTq1AAG"
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


@pytest.fixture(scope="module")
def key_pair() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def sf(slept) -> Iterator[Salesforce]:
    settings = SalesforceSettings(LOGIN, "client_credentials", "the-app", client_secret="s:e/cret")
    made = Salesforce(settings, patience=Patience(sleep=slept.append), clock=lambda: NOW)
    yield made
    made.close()


@pytest.fixture
def org() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        router.post(f"{LOGIN}/services/oauth2/token", name="token").mock(side_effect=_tokens())
        router.get(url__startswith=f"{DATA}/queryAll/", name="query").respond(json=EMPTY)
        yield router


def _tokens():
    count = 0

    def answer(_request: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        identity = f"{LOGIN}/id/00D5g0000000001EAA/0055g0000000002AAA"
        return httpx.Response(200, json={"access_token": f"T{count}", "instance_url": ORG, "id": identity})

    return answer


def soql(route: respx.Route, place: int = -1) -> str:
    return parse_qs(route.calls[place].request.url.query.decode())["q"][0]


# -- login -------------------------------------------------------------------------------------


def test_client_credentials_go_in_the_basic_header(sf, org):
    list(sf.changes(ACCOUNT, None))
    request = org["token"].calls.last.request
    assert request.headers["Authorization"] == "Basic " + b64encode(b"the-app:s:e/cret").decode()
    assert request.content == b"grant_type=client_credentials"


def test_jwt_bearer_signs_who_for_whom_and_until_when(org, key_pair):
    private, public = key_pair
    settings = SalesforceSettings(LOGIN, "jwt", "the-app", username="hub@example.com", private_key=private)
    with_jwt = Salesforce(settings, clock=lambda: NOW)
    list(with_jwt.changes(ACCOUNT, None))
    form = parse_qs(org["token"].calls.last.request.content.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    claims = jwt.decode(form["assertion"][0], public, ["RS256"], options={"verify_exp": False}, audience=LOGIN)
    assert claims == {
        "iss": "the-app",
        "sub": "hub@example.com",
        "aud": LOGIN,
        "exp": int((NOW + timedelta(minutes=3)).timestamp()),
    }
    assert jwt.get_unverified_header(form["assertion"][0])["alg"] == "RS256"


@pytest.mark.parametrize("skew", [timedelta(0), timedelta(minutes=7), timedelta(minutes=-7), timedelta(days=300)])
def test_a_wrong_clock_here_does_not_keep_us_out(key_pair, skew):
    private, public = key_pair
    simulator = SalesforceSimulator(public_key=public)
    sf = connect(
        {
            "login_url": "http://org.test",
            "auth": "jwt",
            "client_id": "hub-client",
            "username": "hub@example.com",
            "private_key": private,
        },
        transport=httpx.WSGITransport(simulator),
        clock=lambda: simulator.clock.now() + skew,
    )
    assert sf.check().user == simulator.hub_user


def test_later_calls_go_to_the_instance_of_the_token(sf, org):
    list(sf.changes(ACCOUNT, None))
    request = org["query"].calls.last.request
    assert (request.url.host, request.headers["Host"]) == ("mine.my.salesforce.com", "mine.my.salesforce.com")
    assert request.headers["Authorization"] == "Bearer T1"


def test_many_calls_need_one_login(sf, org):
    for _ in range(3):
        list(sf.changes(ACCOUNT, None))
    assert org["token"].call_count == 1


def test_a_refused_login_names_the_reason(sf, org):
    org["token"].mock(
        return_value=httpx.Response(
            400, json={"error": "invalid_grant", "error_description": "no client credentials user enabled"}
        )
    )
    with pytest.raises(Unauthorised, match="no client credentials user enabled") as caught:
        sf.check()
    assert caught.value.code == "invalid_grant"


def test_a_login_page_instead_of_a_token_is_no_answer(sf, org):
    org["token"].mock(return_value=httpx.Response(200, html="<html>maintenance</html>"))
    with pytest.raises(Unreachable):
        sf.check()


def test_an_expired_session_is_replayed_whole(sf, org):
    route = org.patch(f"{DATA}/composite/sobjects").mock(
        side_effect=[
            httpx.Response(401, json=EXPIRED),
            httpx.Response(200, json=[{"id": ID_A, "success": True, "errors": []}]),
        ]
    )
    [outcome] = sf.write(ACCOUNT, [Write(Action.UPDATE, ID_A, fields={"Name": "New"})])
    assert outcome.error is None
    first, second = (call.request for call in route.calls)
    assert first.content == second.content
    assert second.headers["Authorization"] == "Bearer T2"
    unchanged = [(name, value) for name, value in first.headers.multi_items() if name != "authorization"]
    assert unchanged == [(name, value) for name, value in second.headers.multi_items() if name != "authorization"]


def test_a_moved_org_is_followed_by_the_replay(sf, org):
    moved = "https://moved.my.salesforce.com"
    org["token"].mock(
        side_effect=[
            httpx.Response(200, json={"access_token": f"T{number}", "instance_url": host, "id": f"{LOGIN}/id/00D/005"})
            for number, host in enumerate((ORG, moved))
        ]
    )
    org["query"].mock(return_value=httpx.Response(401, json=EXPIRED))
    there = org.get(url__startswith=f"{moved}/services/data/v62.0/queryAll/").respond(json=EMPTY)
    list(sf.changes(ACCOUNT, None))
    assert there.calls.last.request.headers["Host"] == "moved.my.salesforce.com"


def test_a_second_refusal_ends_it(sf, org):
    org["query"].mock(return_value=httpx.Response(401, json=EXPIRED))
    with pytest.raises(Unauthorised):
        list(sf.changes(ACCOUNT, None))
    assert org["query"].call_count == 2


# -- reading -----------------------------------------------------------------------------------


def test_the_query_of_a_full_pass(sf, org):
    list(sf.changes(ACCOUNT, None))
    assert soql(org["query"]) == (
        "SELECT Id,SystemModstamp,LastModifiedById,IsDeleted,MasterRecordId,Name,Owner.Name,FSM_Hub_Id__c "
        "FROM Account WHERE (Type != 'Other') ORDER BY SystemModstamp,Id"
    )


def test_the_query_behind_a_cursor_is_a_key_set(sf, org):
    cursor = json.dumps({"t": "2026-01-05T08:00:00.000+0000", "i": ID_A, "seen": {}})
    list(sf.changes(Object("Location", ("Name",)), cursor))
    assert soql(org["query"]).partition(" WHERE ")[2] == (
        "(SystemModstamp > 2026-01-05T08:00:00.000Z OR "
        f"(SystemModstamp = 2026-01-05T08:00:00.000Z AND Id > '{ID_A}')) ORDER BY SystemModstamp,Id"
    )


def test_a_settled_stamp_itself_is_read_again(sf, org):
    cursor = json.dumps({"t": "2026-01-05T08:00:00.000+0000", "i": "", "seen": {}})
    list(sf.changes(Object("Location", ("Name",)), cursor))
    assert " WHERE SystemModstamp >= 2026-01-05T08:00:00.000Z ORDER" in soql(org["query"])


def test_only_mergeable_objects_are_asked_for_their_master(sf, org):
    list(sf.changes(Object("WorkOrder"), None))
    assert "MasterRecordId" not in soql(org["query"])
    list(sf.changes(Object("User"), None))
    assert "IsDeleted" not in soql(org["query"])


def test_headers_of_every_call(sf, org):
    list(sf.changes(ACCOUNT, None))
    headers = org["query"].calls.last.request.headers
    assert headers["Sforce-Query-Options"] == "batchSize=2000"
    assert headers["Sforce-Call-Options"] == "client=fsm-hub"
    assert "gzip" in headers["Accept-Encoding"]
    assert "X-PrettyPrint" not in headers


def test_the_quota_is_read_from_every_answer(sf, org):
    assert sf.edge.quota is None
    org["query"].respond(
        json=EMPTY, headers={"Sforce-Limit-Info": "api-usage=25/5000; per-app-api-usage=17/250(appName=x)"}
    )
    list(sf.changes(ACCOUNT, None))
    assert (sf.edge.quota.used, sf.edge.quota.limit) == (25, 5000)


def test_values_of_a_look_up_are_quoted(sf, org):
    sf.read(ACCOUNT, [KeyRef("FSM_Hub_Id__c", "O'Neil \\ #1/ä&%+")])
    assert soql(org["query"]).endswith(" WHERE FSM_Hub_Id__c IN ('O\\'Neil \\\\ #1/ä&%+')")


def test_short_ids_are_asked_for_in_full_and_nonsense_is_not_asked(sf, org):
    answers = sf.read(ACCOUNT, [ID_A[:15], "not an id", ID_A.lower()])
    assert org["query"].call_count == 1
    assert soql(org["query"]).endswith(f" WHERE Id IN ('{ID_A}')")
    assert [answer.state for answer in answers] == ["missing"] * 3


def test_long_lists_are_split_below_the_limit_of_a_url(sf, org):
    ids = [f"0015500001Qd{number:03x}"[:15] for number in range(1500)]
    sf.read(ACCOUNT, ids)
    sizes = [len(call.request.url.raw_path) for call in org["query"].calls]
    assert max(sizes) < 15_000
    assert 2 <= len(sizes) <= 4


def test_decimals_arrive_as_they_were_written(sf, org):
    row = (
        f'{{"attributes":{{"type":"Account","url":"/x"}},"Id":"{ID_A}",'
        '"SystemModstamp":"2026-01-05T08:00:00.000+0000",'
        '"LastModifiedById":"0055g0000000002AAA","IsDeleted":false,"MasterRecordId":null,'
        '"AnnualRevenue":1250.50,"Big__c":12345678901234567890.10,"NumberOfEmployees":7,"Empty__c":null,'
        '"CreatedDate":"2026-01-05T09:30:00.000+0000","Ms__c":"2026-01-05T09:30:00.120+0000",'
        '"Owner":{"attributes":{"type":"User","url":"/y"},"Name":"Pat","CreatedDate":"2025-01-05T09:30:00.000+0000"},'
        '"Parent":null}'
    )
    org["query"].respond(content=f'{{"totalSize":1,"done":true,"records":[{row}]}}'.encode())
    fields = ("AnnualRevenue", "Big__c", "NumberOfEmployees", "Empty__c", "CreatedDate", "Ms__c", "Owner.Name")
    [page] = sf.changes(Object("Account", (*fields, "Owner.CreatedDate", "Parent.Name", "SystemModstamp")), None)
    [change] = page.changes
    assert change.document == {
        "AnnualRevenue": "1250.50",
        "Big__c": "12345678901234567890.10",
        "NumberOfEmployees": 7,
        "Empty__c": None,
        "CreatedDate": "2026-01-05T09:30:00Z",
        "Ms__c": "2026-01-05T09:30:00.120Z",
        "Owner": {"Name": "Pat", "CreatedDate": "2025-01-05T09:30:00Z"},
        "Parent": None,
        "SystemModstamp": "2026-01-05T08:00:00Z",
    }
    assert (change.version, change.changed_at, change.ours) == ("2026-01-05T08:00:00.000+0000", NOW, True)


@pytest.mark.parametrize(("by", "ours"), [("0055g0000000002AAA", True), ("0055g0000000003AAA", False), (None, False)])
def test_what_we_changed_is_ours(sf, org, by, ours):
    row = {"Id": ID_A, "SystemModstamp": "2026-01-05T08:00:00.000+0000", "LastModifiedById": by, "Name": "A"}
    org["query"].respond(json={"totalSize": 1, "done": True, "records": [row]})
    [answer] = sf.read(Object("Account", ("Name",)), [ID_A])
    assert (answer.ours, answer.changed_by, answer.document) == (ours, by or "", {"Name": "A"})


def test_without_an_identity_url_userinfo_tells_who_we_are(sf, org):
    org["token"].mock(return_value=httpx.Response(200, json={"access_token": "T", "instance_url": ORG}))
    who = org.get(f"{ORG}/services/oauth2/userinfo").respond(json={"user_id": "0055g0000000002AAA"})
    row = {"Id": ID_A, "SystemModstamp": "2026-01-05T08:00:00.000+0000", "LastModifiedById": "0055g0000000002AAA"}
    org["query"].respond(json={"totalSize": 1, "done": True, "records": [row]})
    assert [sf.read(Object("Account"), [ID_A])[0].ours for _ in range(2)] == [True, True]
    assert who.call_count == 1


def test_the_clock_of_an_answer_is_that_of_its_beginning():
    assert Answer(b"{}", "Mon, 05 Jan 2026 08:00:10 GMT", took=10).moment() == NOW
    assert Answer(b"{}").moment() is None


# -- writing -----------------------------------------------------------------------------------


def test_an_upsert_names_our_key_in_the_path_and_in_the_record(sf, org):
    route = org.patch(f"{DATA}/composite/sobjects/Account/FSM_Hub_Id__c").respond(
        json=[{"id": ID_A, "success": True, "errors": [], "created": True}]
    )
    fields = {"Name": "Äcme", "Site": None, "FSM_Credit_Block__c": True, "Parent.FSM_Hub_Id__c": "H-0"}
    [outcome] = sf.write(ACCOUNT, [Write(Action.CREATE, key="H-1", fields=fields)])
    assert (outcome.id, outcome.created) == (ID_A, True)
    request = route.calls.last.request
    assert json.loads(request.content) == {
        "allOrNone": False,
        "records": [
            {
                "attributes": {"type": "Account"},
                "Name": "Äcme",
                "Site": None,
                "FSM_Credit_Block__c": True,
                "Parent": {"FSM_Hub_Id__c": "H-0"},
                "FSM_Hub_Id__c": "H-1",
            }
        ],
    }
    assert request.headers["Content-Type"] == "application/json"
    assert "Sforce-Duplicate-Rule-Header" not in request.headers


def test_a_deletion_lists_ids_in_the_query_string(sf, org):
    route = org.delete(url__startswith=f"{DATA}/composite/sobjects").respond(
        json=[{"id": id_, "success": True, "errors": []} for id_ in (ID_A, ID_B)]
    )
    sf.write(ACCOUNT, [Write(Action.DELETE, ID_A[:15]), Write(Action.DELETE, ID_B)])
    assert dict(route.calls.last.request.url.params) == {"ids": f"{ID_A},{ID_B}", "allOrNone": "false"}


def test_writes_are_grouped_by_kind_and_cut_at_200(sf, org):
    def saved(request: httpx.Request) -> httpx.Response:
        count = len(json.loads(request.content)["records"])
        return httpx.Response(200, json=[{"id": ID_A, "success": True, "errors": []}] * count)

    updates = org.patch(f"{DATA}/composite/sobjects").mock(side_effect=saved)
    upserts = org.patch(f"{DATA}/composite/sobjects/Account/FSM_Hub_Id__c").mock(side_effect=saved)
    writes = [
        Write(Action.UPDATE, f"0015500001Qd{number:03d}") if number % 2 else Write(Action.CREATE, key=f"H-{number}")
        for number in range(450)
    ]
    assert len(sf.write(ACCOUNT, writes)) == 450
    assert [len(json.loads(call.request.content)["records"]) for call in updates.calls] == [200, 25]
    assert [len(json.loads(call.request.content)["records"]) for call in upserts.calls] == [200, 25]


def test_one_record_is_never_twice_in_a_call(sf, org):
    route = org.patch(f"{DATA}/composite/sobjects").mock(
        side_effect=lambda request: httpx.Response(
            200,
            json=[{"id": one["Id"], "success": True, "errors": []} for one in json.loads(request.content)["records"]],
        )
    )
    names = [(ID_A, "1"), (ID_B, "2"), (ID_A[:15], "3"), (ID_A, "4")]
    outcomes = sf.write(ACCOUNT, [Write(Action.UPDATE, id_, fields={"Name": name}) for id_, name in names])
    sent = [[one["Name"] for one in json.loads(call.request.content)["records"]] for call in route.calls]
    assert sent == [["1", "2"], ["3"], ["4"]]
    assert [outcome.id for outcome in outcomes] == [ID_A, ID_B, ID_A, ID_A]


def test_what_cannot_be_sent_is_refused_without_a_call(sf, org):
    writes = [
        Write("install", ID_A),
        Write(Action.UPDATE),
        Write(Action.UPDATE, ID_A, fields={"Contacts": (Row({"Id": "1"}),)}),
    ]
    outcomes = sf.write(ACCOUNT, writes)
    assert [type(outcome.error) for outcome in outcomes] == [Invalid] * 3
    assert not org.calls


# -- retries -----------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["2", "Mon, 05 Jan 2026 08:00:02 GMT"])
def test_retry_after_is_honoured(sf, org, slept, header):
    date = {"Date": "Mon, 05 Jan 2026 08:00:00 GMT"}
    org["query"].side_effect = [
        httpx.Response(503, headers={"Retry-After": header, **date}),
        httpx.Response(200, json=EMPTY, headers=date),
    ]
    list(sf.changes(ACCOUNT, None))
    assert slept == [2.0]


def test_an_upsert_is_repeated_after_a_lost_answer_and_an_update_is_not(sf, org, slept):
    saved = httpx.Response(200, json=[{"id": ID_A, "success": True, "errors": [], "created": False}])
    upsert = org.patch(f"{DATA}/composite/sobjects/Account/FSM_Hub_Id__c")
    upsert.side_effect = [httpx.ReadTimeout("lost"), saved]
    update = org.patch(f"{DATA}/composite/sobjects")
    update.side_effect = [httpx.ReadTimeout("lost"), saved]
    outcomes = sf.write(ACCOUNT, [Write(Action.CREATE, key="H-1"), Write(Action.UPDATE, ID_A)])
    assert outcomes[0].error is None
    assert isinstance(outcomes[1].error, UnknownOutcome)
    assert (upsert.call_count, update.call_count) == (2, 1)


def test_an_update_that_never_left_may_be_repeated(sf, org):
    update = org.patch(f"{DATA}/composite/sobjects").mock(side_effect=httpx.ConnectError("down"))
    [outcome] = sf.write(ACCOUNT, [Write(Action.UPDATE, ID_A)])
    assert isinstance(outcome.error, Unreachable)
    assert update.call_count == 4


def test_a_long_wait_is_passed_up_for_each_record(sf, org):
    org.patch(f"{DATA}/composite/sobjects").respond(503, headers={"Retry-After": "900"})
    outcomes = sf.write(ACCOUNT, [Write(Action.UPDATE, ID_A), Write(Action.UPDATE, ID_B)])
    assert [type(outcome.error) for outcome in outcomes] == [RateLimited] * 2
    assert [outcome.error.id for outcome in outcomes] == [ID_A, ID_B]


# -- settings and logs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"login_url": LOGIN, "auth": "jwt", "client_id": "a", "pasword": "x"}, "pasword"),
        ({"login_url": LOGIN, "auth": "jwt"}, "client_id"),
        ({"login_url": LOGIN, "auth": "jwt", "client_id": "a", "username": "u"}, "private_key"),
        ({"login_url": LOGIN, "auth": "client_credentials", "client_id": "a"}, "client_secret"),
        ({"login_url": LOGIN, "auth": "password", "client_id": "a"}, "auth"),
        ({"login_url": LOGIN, "auth": "jwt", "client_id": "a", "page_size": "2000"}, "page_size"),
        ({"login_url": LOGIN, "auth": "jwt", "client_id": None}, "client_id"),
        (
            {"login_url": LOGIN, "auth": "client_credentials", "client_id": "a", "client_secret": "s", "page_size": 1},
            "page_size",
        ),
    ],
)
def test_a_wrong_setting_is_named(settings, named):
    with pytest.raises(BadMapping, match=named) as caught:
        connect(settings)
    assert caught.value.field == named


def test_a_key_that_is_none_is_named():
    settings = SalesforceSettings(LOGIN, "jwt", "app", username="u", private_key="not a key")
    with pytest.raises(BadMapping, match="private_key"):
        Salesforce(settings).check()


def test_neither_secrets_nor_data_reach_the_log(sf, org, caplog):
    caplog.set_level(logging.DEBUG)
    org.patch(f"{DATA}/composite/sobjects").respond(
        json=[{"success": False, "errors": [{"statusCode": "STRING_TOO_LONG", "message": "too large: Jane Roe"}]}]
    )
    sf.read(ACCOUNT, [KeyRef("FSM_Hub_Id__c", "Jane Roe")])
    sf.write(ACCOUNT, [Write(Action.UPDATE, ID_A, fields={"Name": "Jane Roe"})])
    assert "s:e/cret" not in repr(sf.settings)
    for secret in ("Jane", "Roe", "T1", "s:e/cret"):
        assert secret not in caplog.text
