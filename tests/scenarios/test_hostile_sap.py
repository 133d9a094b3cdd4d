"""What an S/4HANA does to the hub: sessions and tokens, locks, ETags, changesets, warnings, lost answers.

Each scenario looks at the system, at the state and at what a person is told. Not here: what both systems do alike.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.sap import simulator_service
from connectors.sap.simulator import ROOT
from connectors.sap.simulator_partner import Partners
from connectors.sap.simulator_query import Refusal
from connectors.sap.simulator_schema import metadata, schema
from tests.scenarios.wire import DATA, HOUR, OAUTH, company

URLS = "A_AddressHomePageURL"


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def calm(wire, *places):
    wire.settle()
    assert wire.has_news("sap", *places)
    assert wire.waiting() == {}


def only(problems):
    (one,) = problems
    return one


def website(wire, place):
    (row,) = wire.erp.store.by(URLS, "AddressID", wire.address(place)["AddressID"])
    return row["WebsiteURL"]


# -- sessions and tokens -----------------------------------------------------------------------------


def test_a_token_that_ends_between_two_pages_is_fetched_anew_and_no_row_is_lost(tmp_path):
    with company(tmp_path, settled=False, log_on=OAUTH) as wire:
        wire.at("sap", r"A_BusinessPartner\?", wire.erp.expire_sessions, skip=1)
        assert wire.sync()["read"]["sap"]["new"] == 3
        assert any(path.startswith("GET 401") for path in wire.paths("sap", ROOT))
        assert wire.waiting() == {}
        wire.news_for("sap", 0)
        calm(wire, 0)


def test_a_session_that_ends_before_a_batch_costs_one_token_and_writes_once(wire):
    for place in range(3):
        wire.news_for("sap", place)
    wire.at("sap", r"\$batch", wire.erp.expire_sessions)
    assert wire.sync()["written"]["sap"] == 3
    assert [path[:8] for path in wire.paths("sap", "$batch")] == ["POST 403", "POST 202"]
    assert wire.erp.writes() == 3
    calm(wire, 0, 1, 2)


def test_a_right_to_write_that_is_missing_is_no_lost_token(wire):
    wire.news_for("sap", 0)
    wire.at("sap", ROOT, lambda: wire.erp.service.forbidden.add(ROOT), method="PATCH")
    report = wire.sync(code=1)
    assert "No authorization for entity set A_BusinessPartner" in report["absent"]["sap"]
    assert len([path for path in wire.paths("sap", ROOT) if path.startswith("PATCH")]) == 1
    assert "salesforce" in report["read"]
    wire.erp.service.forbidden.clear()
    calm(wire, 0)


def test_a_right_to_one_child_set_that_is_missing_is_a_problem_of_its_records_only(wire):
    wire.account(wire.accounts[0], FSM_Language__c="en", Website="https://neu.example")
    wire.account(wire.accounts[1], Website="https://neu1.example")
    wire.news_for("sap", 2)
    wire.at("sap", r"\$batch", lambda: wire.erp.service.forbidden.add(URLS))
    report = wire.sync()
    assert report["absent"] == {}
    assert wire.has_news("sap", 0, 2)
    assert website(wire, 0) == wire.firms[0].website
    told = {one["external_id"]: one for one in wire.problems()}
    assert set(told) == set(wire.partners[:2])
    for problem in told.values():
        assert (problem["cause"], problem["field"]) == ("write forbidden", "website")
        assert URLS in problem["message"]
        assert URLS in problem["remedy"]
    before = wire.writes()
    wire.sync()
    assert wire.writes() == before
    wire.erp.service.forbidden.clear()
    wire.ask("problems", "retry")
    wire.settle()
    assert [website(wire, place) for place in (0, 1)] == ["https://neu.example", "https://neu1.example"]
    assert wire.waiting() == {}


def test_a_right_to_read_that_is_lost_blanks_nothing_and_is_told_once(wire):
    before = wire.record(wire.partners[0])
    wire.erp.service.forbidden.add(ROOT)
    for _ in range(2):
        report = wire.sync(code=1)
        assert "No authorization" in report["absent"]["sap"]
    assert wire.record(wire.partners[0]) == before
    assert (wire.writes(), wire.waiting()) == (0, {})
    wire.erp.service.forbidden.clear()
    calm(wire)


# -- ETags and locks ---------------------------------------------------------------------------------


def test_a_partner_saved_by_a_person_during_our_write_keeps_both_edits(wire):
    wire.news_for("sap", 0)

    def person():
        wire.clock.advance(2)
        wire.partner(wire.partners[0], OrganizationBPName1="Neu 0 GmbH")

    wire.at("sap", ROOT, person, method="PATCH")
    wire.sync()
    assert any(path.startswith("PATCH 412") for path in wire.paths("sap", ROOT))
    assert wire.problems() == []
    calm(wire, 0)
    assert wire.has_news("salesforce", 0)
    assert wire.bp(0)["OrganizationBPName1"] == "Neu 0 GmbH"


@pytest.mark.parametrize("entity", [ROOT, URLS])
def test_a_service_that_begins_to_demand_etags_gets_them(wire, entity):
    wire.erp.etags[entity] = "required"
    wire.news_for("sap", 0)
    wire.account(wire.accounts[0], Website="https://neu.example")
    wire.news_for("sap", 1)
    assert wire.sync()["refused"] == 0
    calm(wire, 0, 1)
    assert website(wire, 0) == "https://neu.example"


@pytest.mark.parametrize(("form", "places"), [("status", (0,)), ("text", (0,)), ("text", (0, 1))])
def test_a_locked_partner_is_tried_again_and_nobody_is_asked(wire, form, places):
    for place in places:
        wire.news_for("sap", place)
    if form == "text":
        wire.erp.lock_partner(wire.partners[0])
    else:
        wire.erp.fail(method="PATCH", path=DATA["sap"], status=423, body="{}")
    report = wire.sync()
    assert report["absent"] == {}
    assert report["refused"] == 0
    assert wire.problems() == []
    assert wire.has_news("sap", *places[1:])
    assert not wire.has_news("sap", 0)
    assert list(wire.waiting()) == ["due"]
    if form == "text":
        wire.sync(later=25 * HOUR)
        problem = only(wire.problems())
        assert "is currently being processed by user MILLER" in problem["message"]
        assert "more than a day" in problem["remedy"]
    wire.erp.unlock_partner(wire.partners[0])
    calm(wire, *places)


# -- refusals ----------------------------------------------------------------------------------------


def test_one_bad_record_in_a_batch_is_one_problem_and_the_others_land(wire):
    for place in range(3):
        wire.news_for("sap", place)
    wire.account(wire.accounts[1], FSM_Language__c="fr")
    wire.erp.veto("CorrespondenceLanguage", "FR", "Language FR is not installed", times=9)
    report = wire.sync()
    assert (report["written"]["sap"], report["refused"]) == (2, 1)
    assert wire.has_news("sap", 0, 2)
    problem = only(wire.problems())
    assert (problem["external_id"], problem["field"]) == (wire.partners[1], "language")
    assert "Language FR is not installed" in problem["message"]
    before = wire.writes()
    wire.sync()
    assert wire.writes() == before
    wire.erp.partners.vetoes.clear()
    wire.ask("problems", "retry")
    wire.settle()
    assert wire.bp(1)["CorrespondenceLanguage"] == "FR"
    assert wire.waiting() == {}


def test_a_changeset_that_fails_as_a_whole_costs_the_field_at_fault_only(wire):
    wire.account(wire.accounts[0], FSM_Language__c="en", Website="https://bad.example")
    wire.news_for("sap", 1)
    wire.erp.veto("WebsiteURL", "bad", "No such host", times=9)
    wire.sync()
    wire.settle()
    assert wire.has_news("sap", 0, 1)
    assert website(wire, 0) == wire.firms[0].website
    problem = only(wire.problems())
    assert (problem["field"], problem["message"]) == ("website", "No such host [ZFSM/001]")
    wire.account(wire.accounts[0], Website="https://good.example")
    wire.erp.partners.vetoes.clear()
    calm(wire, 0, 1)
    assert website(wire, 0) == "https://good.example"


def test_a_changeset_that_fails_without_a_field_is_a_problem_and_nothing_is_half_written(wire, monkeypatch):
    wire.account(wire.accounts[0], FSM_Language__c="en", Website="https://neu.example")
    wire.news_for("sap", 1)
    old = Partners.change

    def change(partners, entity, row, payload, user, **options):
        if payload.get("WebsiteURL") == "https://neu.example":
            raise Refusal(400, "F2/042", "Customizing is incomplete")
        return old(partners, entity, row, payload, user, **options)

    monkeypatch.setattr(Partners, "change", change)
    report = wire.sync()
    assert (report["written"]["sap"], report["refused"]) == (1, 1)
    assert wire.bp(0)["CorrespondenceLanguage"] == "DE"
    assert wire.has_news("sap", 1)
    problem = only(wire.problems())
    assert (problem["external_id"], problem["message"]) == (wire.partners[0], "Customizing is incomplete [F2/042]")
    monkeypatch.undo()
    wire.ask("problems", "retry")
    calm(wire, 0, 1)


def test_a_value_longer_than_the_field_is_a_problem_of_that_field_only(wire):
    address = {"ShippingStreet": "Kai 1", "ShippingCity": "Kiel", "ShippingCountry": "Germany"}
    wire.account(wire.accounts[0], FSM_Language__c="en", **address, ShippingPostalCode="24103-24103-24103")
    wire.sync()
    wire.settle()
    assert wire.has_news("sap", 0)
    problem = only(wire.problems())
    assert problem["field"] == "shipping_address"
    assert "10" in problem["message"]
    wire.account(wire.accounts[0], ShippingPostalCode="24103")
    calm(wire, 0)


def test_a_property_closed_during_the_round_is_held_back_and_the_rest_goes_out(wire, monkeypatch):
    props = schema()[ROOT].props
    closed = replace(props["CorrespondenceLanguage"], read_only=True)
    wire.account(wire.accounts[0], FSM_Language__c="en", Website="https://neu.example")
    wire.at("sap", r"\$batch", lambda: monkeypatch.setitem(props, "CorrespondenceLanguage", closed))
    wire.sync()
    wire.settle()
    assert website(wire, 0) == "https://neu.example"
    problem = only(wire.problems())
    assert (problem["field"], "read-only" in problem["message"]) == ("language", True)
    monkeypatch.undo()
    wire.ask("problems", "retry")
    calm(wire, 0)


def test_a_warning_on_an_accepted_create_is_shown_to_a_person(wire):
    wire.newcomer("sap")
    wire.erp.service.warnings.append("Postal code is missing for the tax office")
    assert wire.sync()["written"]["sap"] == 1
    assert wire.has("sap") == 1
    problem = only(wire.problems())
    assert (problem["cause"], problem["message"]) == ("write warning", "Postal code is missing for the tax office")
    assert "It is saved" in problem["remedy"]
    wire.ask("problems", "retry")
    calm(wire)
    assert wire.has("sap") == 1


# -- what is not shown any more ------------------------------------------------------------------------


def test_a_partner_behind_the_end_of_purpose_block_is_not_blanked_deleted_or_created_anew(wire):
    before = wire.record(wire.accounts[0])
    wire.erp.hide(wire.partners[0])
    wire.sync("--full")
    assert wire.record(wire.accounts[0]) == before
    assert wire.writes() == 0
    finding = only(wire.problems())
    assert finding["message"] == "1 of 3 known records are not shown any more; nothing was deleted"
    wire.news_for("sap", 0)
    wire.sync()
    wire.sync()
    problem = only([one for one in wire.told("sap") if one["id"] != finding["id"]])
    assert problem["external_id"] == wire.partners[0]
    assert wire.erp.counts()["rows"][ROOT] == 3
    assert not wire.row(0)["IsDeleted"]
    wire.erp.store.hidden.clear()
    wire.sync("--full")
    wire.ask("problems", "retry")
    calm(wire, 0)


def test_a_property_that_is_gone_but_still_described_blanks_nothing_and_is_named(wire, monkeypatch):
    before = wire.record(wire.accounts[0])
    described = metadata()
    monkeypatch.delitem(schema()[ROOT].props, "CorrespondenceLanguage")
    monkeypatch.setattr(simulator_service, "metadata", lambda: described)
    wire.partner(wire.partners[0], OrganizationBPName1="Neu 0 GmbH")
    report = wire.sync(code=1)
    assert "CorrespondenceLanguage" in report["absent"]["sap"]
    assert "salesforce" in report["read"]
    assert wire.record(wire.accounts[0]) == before
    assert (wire.writes(), wire.waiting()) == (0, {})
    monkeypatch.undo()
    calm(wire)
    assert wire.has_news("salesforce", 0)


# -- identity and lost answers -------------------------------------------------------------------------

STRANGE = "O'N/#&%+Ä"


def test_a_partner_number_of_special_characters_is_read_written_and_found(wire):
    document = {"BusinessPartner": STRANGE, "BusinessPartnerCategory": "2", "OrganizationBPName1": f"{STRANGE} ' 漢字"}
    wire.erp.seed([document | {"BusinessPartnerGrouping": "BP03", "CorrespondenceLanguage": "DE"}])
    wire.sync()
    account = wire.row(f"{STRANGE} ' 漢字")
    wire.settle()
    wire.account(account["Id"], FSM_Language__c="en")
    wire.sync()
    calm(wire)
    assert wire.erp.store.tables[ROOT][STRANGE,]["CorrespondenceLanguage"] == "EN"
    assert wire.record(STRANGE)["language"] == "en"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_create_without_an_answer_is_repeated_only_after_a_look_long_enough_later(wire, moment):
    wire.newcomer("sap")
    wire.erp.fail(method="POST", path=rf"{ROOT}\??$", drop=moment)
    wire.sync()
    assert wire.has("sap") == (moment == "after")
    assert wire.waiting()["open_intents"]
    assert wire.problems() == []
    wire.sync(later=30)
    assert len([path for path in wire.paths("sap", ROOT) if path.startswith("POST")]) == 1
    wire.sync(later=100)
    calm(wire)
    assert wire.has("sap") == 1
    assert wire.erp.counts()["duplicates"] == []
    assert len([row for row in wire.erp.rows("A_BuPaIdentification") if row["BPIdentificationType"] == "FSMHUB"]) == 1


def test_of_two_records_in_a_batch_whose_answer_is_cut_both_are_looked_up_and_written_once(wire):
    wire.news_for("sap", 0)
    wire.newcomer("sap")
    wire.erp.fail(path=r"\$batch", truncate=700)
    wire.sync()
    assert wire.problems() == []
    calm(wire, 0)
    assert wire.has("sap") == 1
    assert wire.erp.counts()["duplicates"] == []
