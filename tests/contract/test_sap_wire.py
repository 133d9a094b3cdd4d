"""What goes over the wire to SAP, to the byte: log-on, CSRF, filters, paging, ETags, $batch.

Not here: behaviour against a stateful system (`test_sap_changes.py`, `test_sap_writes.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import unquote

import httpx
import pytest
import respx

from connectors.sap import connect
from connectors.sap.batch import Operation, decode, encode
from connectors.sap.odata import Field, all_of, any_of, compare, literal, normal_id, query
from connectors.sap.odata import decode as decoded
from connectors.sap.odata import encode as encoded
from fsm_core.errors import BadMapping, Invalid, MissingPermission, UnknownOutcome
from fsm_core.ports import Action, KeyRef, State, Write
from tests.contract.sap_words import DATE, HOST, NAME, ROOT, connector, listing, partner, service


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as mocked:
        yield mocked


TEXT = Field("Name", "Edm.String", 10)
UPPER = Field("SearchTerm1", "Edm.String", 20, upper=True)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("Edm.String", "O'Neil", "'O''Neil'"),
        ("Edm.String", None, "null"),
        ("Edm.DateTime", "2026-01-02", "datetime'2026-01-02T00:00:00'"),
        ("Edm.DateTimeOffset", "2026-01-02T03:04:05Z", "datetimeoffset'2026-01-02T03:04:05Z'"),
        ("Edm.Time", "15:51:04", "time'PT15H51M04S'"),
        ("Edm.Guid", "00163e19-8846-1ed6-a6cf-7b541e621558", "guid'00163e19-8846-1ed6-a6cf-7b541e621558'"),
        ("Edm.Boolean", True, "true"),
        ("Edm.Decimal", "1.50", "1.50M"),
        ("Edm.Int64", "7", "7L"),
        ("Edm.Int16", 7, "7"),
    ],
)
def test_literals(kind, value, text):
    assert literal(Field("X", kind), value) == text


@pytest.mark.parametrize(
    ("kind", "wire", "value"),
    [
        ("Edm.DateTime", "/Date(1477353600000)/", "2016-10-25"),
        ("Edm.DateTime", "/Date(1477375877000)/", "2016-10-25T06:11:17"),
        ("Edm.DateTime", "/Date(-2208988800000)/", "1900-01-01"),
        ("Edm.DateTimeOffset", "/Date(1477353600000+0000)/", "2016-10-25T00:00:00Z"),
        ("Edm.DateTimeOffset", "/Date(1477353600000+0330)/", "2016-10-25T00:00:00Z"),
        ("Edm.DateTimeOffset", "/Date(253402300799000+0000)/", "9999-12-31T23:59:59Z"),
        ("Edm.Time", "PT06H31M17S", "06:31:17"),
        ("Edm.Time", "PT7S", "00:00:07"),
        ("Edm.Decimal", "12.50", "12.50"),
        ("Edm.Boolean", False, False),
        ("Edm.Int16", 3, 3),
        ("Edm.String", "", ""),
        ("Edm.DateTime", None, None),
    ],
)
def test_values_from_the_wire(kind, wire, value):
    assert decoded(Field("X", kind), wire) == value


def test_values_to_the_wire():
    assert encoded(TEXT, None) == ""
    assert encoded(Field("X", "Edm.DateTime"), None) is None
    assert encoded(Field("X", "Edm.DateTime"), "2016-10-25") == "/Date(1477353600000)/"
    assert encoded(Field("X", "Edm.DateTimeOffset"), "9999-12-31T23:59:59Z") == "/Date(253402300799000+0000)/"
    assert encoded(Field("X", "Edm.Time"), "06:31:17") == "PT06H31M17S"
    assert encoded(Field("X", "Edm.Decimal"), "1.10") == "1.10"
    for field, value in ((TEXT, "x" * 11), (Field("X", "Edm.Boolean"), "yes"), (Field("X", "Edm.DateTime"), "soon")):
        with pytest.raises(Invalid) as caught:
            encoded(field, value)
        assert caught.value.field == field.name


def test_filters_are_always_parenthesised():
    either = any_of(compare(TEXT, "eq", name) for name in ("a", "b"))
    assert all_of(either, compare(UPPER, "eq", "x"), "") == "((Name eq 'a') or (Name eq 'b')) and (SearchTerm1 eq 'X')"


def test_quotes_travel_as_percent_27():
    assert query({"$filter": compare(TEXT, "eq", "O'Neil & Söhne")}) == (
        "$filter=Name%20eq%20%27O%27%27Neil%20%26%20S%C3%B6hne%27"
    )


@pytest.mark.parametrize(
    ("sent", "normal"), [("0001000021", "1000021"), ("00AB12", "00AB12"), ("ab12", "AB12"), ("0", "0")]
)
def test_numbers_lose_zeros_only_when_all_digits(sent, normal):
    assert normal_id(sent) == normal


def test_settings_are_named_when_wrong():
    with pytest.raises(BadMapping, match="unknown setting usr; known are base_url, user"):
        connect({"base_url": HOST, "usr": "x"})
    with pytest.raises(BadMapping, match="missing setting base_url"):
        connect({"user": "x", "password": "y"})
    with pytest.raises(BadMapping, match="user and password, or token_url"):
        connect({"base_url": HOST, "user": "x"})
    with pytest.raises(BadMapping, match="IANA"):
        connect({"base_url": HOST, "user": "x", "password": "y", "system_time_zone": "CET/Summer"})
    with pytest.raises(BadMapping, match="patience"):
        connect({"base_url": HOST, "user": "x", "password": "y"}, retries=3)
    assert "secret" not in repr(connector().settings)


def test_reads_carry_client_and_language(router):
    service(router)
    route = router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(partner(), __count="1"))
    list(connector().changes(NAME, None))
    headers = route.calls[0].request.headers
    assert headers["sap-client"] == "100"
    assert headers["accept-language"] == headers["sap-language"] == "EN"
    assert headers["accept"] == "application/json"
    assert headers["authorization"].startswith("Basic ")
    asked = dict(part.split("=", 1) for part in unquote(route.calls[0].request.url.query.decode()).split("&"))
    assert asked["$orderby"] == "BusinessPartner"
    assert asked["$inlinecount"] == "allpages"
    assert asked["$expand"] == "to_BuPaIdentification"
    assert {"BusinessPartner", "OrganizationBPName1", "ETag", "to_BuPaIdentification/BPIdentificationNumber"} <= set(
        asked["$select"].split(",")
    )


def test_the_skiptoken_of_another_host_is_kept(router):
    service(router)
    following = "http://inner:8000/sap/opu/odata/sap/API_BUSINESS_PARTNER/A_BusinessPartner?$skiptoken=D%274%27&$top=2"
    first = router.get(url__startswith=f"{ROOT}A_BusinessPartner?$filter").mock(
        return_value=listing(partner("1"), __count="2", __next=following)
    )
    router.get(url__startswith=f"{ROOT}A_BusinessPartner?$orderby").mock(
        return_value=listing(partner("1"), __count="2", __next=following)
    )
    second = router.get(f"{ROOT}A_BusinessPartner?$skiptoken=D%274%27&$top=2").mock(return_value=listing(partner("2")))
    pages = list(connector().changes(NAME, None))
    assert [change.id for page in pages for change in page.changes] == ["1", "2"]
    assert second.call_count == 1
    assert first.call_count == 0
    assert pages[-1].complete


def test_pyodata_works_over_the_same_session(router):
    service(router)
    following = f"{ROOT}A_BusinessPartner?$skiptoken=7"
    router.get(f"{ROOT}A_BusinessPartner?$skiptoken=7").mock(return_value=listing(partner("2")))
    router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(partner("1"), __next=following))
    partners = connector().session.client.entity_sets.A_BusinessPartner
    first = partners.get_entities().execute()
    second = partners.get_entities().next_url(first.next_url).execute()
    assert [found.BusinessPartner for found in [*first, *second]] == ["1", "2"]


def test_a_write_fetches_a_token_and_sends_its_cookie(router):
    token = service(router)
    router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(partner(etag="W/\"'CB99'\"")))
    patch = router.patch(f"{ROOT}A_BusinessPartner('1000021')").respond(204)
    [outcome] = connector().write(NAME, [Write(Action.UPDATE, "1000021", fields={"OrganizationBPName1": "Größer"})])
    assert outcome.error is None
    assert token.calls[0].request.headers["x-csrf-token"] == "Fetch"
    sent = patch.calls[0].request
    assert sent.headers["x-csrf-token"] == "T1=="
    assert "SAP_SESSIONID_S4H_100=abc" in sent.headers["cookie"]
    assert sent.headers["if-match"] == "W/\"'CB99'\""
    assert sent.headers["content-type"] == "application/json"
    assert json.loads(sent.content) == {"OrganizationBPName1": "Größer"}


def test_a_star_goes_out_only_where_configured(router):
    service(router)
    router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(partner(etag="W/\"'CB99'\"")))
    patch = router.patch(f"{ROOT}A_BusinessPartner('1000021')").respond(204)
    sap = connector(if_match={"A_BusinessPartner": "*"})
    sap.write(NAME, [Write(Action.UPDATE, "0001000021", fields={"OrganizationBPName1": "X"})])
    assert patch.calls[0].request.headers["if-match"] == "*"


def test_a_dead_token_is_fetched_again_in_the_same_jar(router):
    token = service(router)
    router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(partner()))
    required = httpx.Response(403, text="CSRF token validation failed", headers={"x-csrf-token": "Required"})
    patch = router.patch(f"{ROOT}A_BusinessPartner('1000021')").mock(side_effect=[required, httpx.Response(204)])
    [outcome] = connector().write(NAME, [Write(Action.UPDATE, "1000021", fields={"OrganizationBPName1": "X"})])
    assert outcome.error is None
    assert token.call_count == 2
    assert "SAP_SESSIONID_S4H_100=abc" in token.calls[1].request.headers["cookie"]
    assert patch.call_count == 2


def test_a_403_without_the_csrf_header_is_a_missing_right(router):
    token = service(router)
    router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(partner()))
    patch = router.patch(f"{ROOT}A_BusinessPartner('1000021')").respond(403, text="No authorization")
    [outcome] = connector().write(NAME, [Write(Action.UPDATE, "1000021", fields={"OrganizationBPName1": "X"})])
    assert isinstance(outcome.error, MissingPermission)
    assert (token.call_count, patch.call_count) == (1, 1)


def test_gateways_that_answer_only_get(router):
    service(router)
    router.head(ROOT).respond(405)
    get = router.get(ROOT).respond(200, headers={"x-csrf-token": "T2", "Date": DATE})
    assert connector().check().ok
    assert get.calls[0].request.headers["x-csrf-token"] == "Fetch"


def test_a_key_reference_asks_the_identifications(router):
    service(router)
    rows = [{"BusinessPartner": "0001000021", "BPIdentificationNumber": "0190-AB/C'D"}]
    route = router.get(f"{ROOT}A_BuPaIdentification").mock(return_value=listing(*rows))
    router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(partner()))
    ref = KeyRef("FSMHUB", "0190-ab/c'd")
    [found] = connector().read(NAME, [ref])
    assert (found.id, found.state, found.ref) == ("1000021", State.LIVE, ref)
    asked = unquote(route.calls[0].request.url.query.decode())
    assert "(BPIdentificationType eq 'FSMHUB') and ((BPIdentificationNumber eq '0190-AB/C''D'))" in asked


def test_a_create_carries_the_key_and_a_request_id(router):
    service(router)
    born = httpx.Response(201, json={"d": partner("1000099")})
    post = router.post(f"{ROOT}A_BusinessPartner").mock(return_value=born)
    router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(partner("1000099")))
    write = Write(Action.CREATE, key="H-1", fields={"OrganizationBPName1": "Neu"}, idempotency_key="attempt-1")
    [outcome] = connector().write(NAME, [write])
    assert (outcome.id, outcome.created, outcome.error) == ("1000099", True, None)
    body, headers = json.loads(post.calls[0].request.content), post.calls[0].request.headers
    assert body == {
        "OrganizationBPName1": "Neu",
        "BusinessPartnerCategory": "2",
        "BusinessPartnerGrouping": "BP02",
        "to_BuPaIdentification": [{"BPIdentificationType": "FSMHUB", "BPIdentificationNumber": "H-1"}],
        "to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU00"}, {"BusinessPartnerRole": "FLCU01"}],
    }
    assert len(headers["requestid"]) == 32
    assert headers["repeatabilitycreation"] == DATE


def test_batch_bytes():
    body = '{"A":"ü"}'.encode()
    text = encode([[Operation("PATCH", "A('1')", body, {"If-Match": "W/\"'1'\""}), Operation("DELETE", "B('2')")]], "b")
    assert (
        text
        == (
            "--b\r\nContent-Type: multipart/mixed; boundary=changeset_b_1\r\n\r\n"
            "--changeset_b_1\r\nContent-Type: application/http\r\n"
            "Content-Transfer-Encoding: binary\r\nContent-ID: 1\r\n\r\n"
            "PATCH A('1') HTTP/1.1\r\nAccept: application/json\r\nIf-Match: W/\"'1'\"\r\n"
            'Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{"A":"ü"}\r\n\r\n'
            "--changeset_b_1\r\nContent-Type: application/http\r\n"
            "Content-Transfer-Encoding: binary\r\nContent-ID: 2\r\n\r\n"
            "DELETE B('2') HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n\r\n"
            "--changeset_b_1--\r\n\r\n--b--\r\n"
        ).encode()
    )


def answer(text: str, boundary: str = "X") -> httpx.Response:
    return httpx.Response(202, text=text, headers={"content-type": f"multipart/mixed; boundary={boundary}"})


GOOD = (
    "--X\r\nContent-Type: multipart/mixed; boundary=Y\r\n\r\n--Y\r\nContent-Type: application/http\r\n\r\n"
    "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nsap-message: x\r\n\r\n\r\n--Y--\r\n\r\n"
    "--X\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}\r\n--X--\r\n"
)


@pytest.mark.parametrize("text", [GOOD, GOOD.replace("\r\n", "\n")])
def test_batch_answers_come_apart(text):
    first, second = decode(answer(text), 2)
    assert [part.status_code for part in first + second] == [204, 400]
    assert first[0].headers["sap-message"] == "x"
    assert second[0].json() == {}


@pytest.mark.parametrize("text", [GOOD[:-9], GOOD[:60], "", GOOD.replace("Length: 2", "Length: 9"), "<html>"])
def test_a_cut_batch_answer_is_an_unknown_outcome(text):
    with pytest.raises(UnknownOutcome):
        decode(answer(text), 2)


def test_a_batch_answer_of_another_length_is_an_unknown_outcome():
    with pytest.raises(UnknownOutcome, match="2 answers to 3"):
        decode(answer(GOOD), 3)


def test_oauth_tokens_are_fetched_and_renewed(router):
    grant = router.post(f"{HOST}/token").respond(200, json={"access_token": "A1", "expires_in": 600})
    service(router)
    gone, here = httpx.Response(401), listing(partner())
    route = router.get(f"{ROOT}A_BusinessPartner").mock(side_effect=[gone, here])
    sap = connector(user="", password="", token_url=f"{HOST}/token", client_id="hub", client_secret="s")
    [found] = sap.read(NAME, ["1000021"])
    assert found.state is State.LIVE
    assert grant.call_count == 2
    assert route.calls[1].request.headers["authorization"] == "Bearer A1"
