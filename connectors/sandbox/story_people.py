"""The part of the day that concerns people and places: contacts, sites, and the customers they belong to.

Not here: all other edits (`story`) and performing them (`players`).
"""

from __future__ import annotations

from connectors.sandbox.company import HANDED_OVER
from connectors.sandbox.contact_rows import JOB, RELATIONSHIP
from connectors.sandbox.desk import CRM, ERP, Desk
from connectors.sandbox.edits import EARLIER, Edit, Expect
from connectors.sandbox.rows import entered_partner, partner

PARTNER, ADDRESS = "A_BusinessPartner", "A_BusinessPartnerAddress"
CALLED, ASKED = ("Gesche", "Kwatschling"), ("Ottmar", "Schlörfink")
UNDECIDED = 5
"""Which of the customers that only a person can tell apart gets a contact today: one that has none."""


def people_and_places(desk: Desk) -> list[Edit]:
    """The edits in order."""
    return [
        *direct_lines(desk),
        *moves(desk),
        *places(desk),
        *a_prospect_is_billed(desk),
        *a_prospect_was_a_customer(desk),
        *a_customer_with_somebody_to_call(desk),
        *somebody_at_an_unknown_customer(desk),
    ]


def direct_lines(desk: Desk) -> list[Edit]:
    """Whoever knew last."""
    line, address = (desk.known(next(desk.untouched), in_both=True) for _ in range(2))
    email = str(desk.contacts[address]["Email"])
    return [
        desk.contact_in_sap(
            line, "ULRIKE", "Ulrike notes the new direct line of {name}.", Expect.ACCEPT,
            {f"{JOB}.PhoneNumber": f"{desk.contacts[line]['Phone'][:-2]}07"},
        ),
        desk.contact_in_sap(
            address, "ULRIKE", "Ulrike notes an e-mail address of {name} that is old already.", Expect.REVERT,
            {f"{JOB}.EmailAddress": f"old.{email}"},
        ),
        desk.contact(
            address, "Mira", "Mira notes the address {name} really has, later.", Expect.ACCEPT, Email=f"new.{email}"
        ),
    ]  # fmt: skip


def moves(desk: Desk) -> list[Edit]:
    """Somebody changes employers."""
    old, new = next(desk.untouched), next(desk.untouched)
    who = desk.known(old, in_both=False)
    sentence = f"Mira hears that {{name}} left {desk.name(old)} for {desk.name(new)}."
    return [desk.contact(who, "Mira", sentence, Expect.ACCEPT, AccountId=new[0])]


def places(desk: Desk) -> list[Edit]:
    """What technicians need to know, and an address that is a customer's and a site's at once."""
    plain, delivered = next(desk.untouched), next(desk.with_delivery)
    [way_in, *_] = desk.company.places.clean[plain[0]]
    goods = desk.partners[delivered[1]]["to_BusinessPartnerAddress"][1]["AddressID"]
    sentence = (
        f"Tomas corrects where {desk.name(delivered)} takes deliveries: as a site his word, as a customer Lena's."
    )
    return [
        Edit(
            f"Jonas notes how to get in at {desk.name(plain)}.", CRM, "Location", way_in,
            {"FSM_Access_Instructions__c": "Schlüssel im Café gegenüber."}, "Jonas", Expect.ACCEPT,
            desk.company.places.pairs[way_in], "site",
        ),
        Edit(
            sentence, ERP, ADDRESS, f"{delivered[1]}/{goods}", {"StreetName": "Kranweg", "HouseNumber": "3"}, "TOMAS",
            Expect.ACCEPT, desk.company.places.clean[delivered[0]][1], "site",
        ),
    ]  # fmt: skip


def a_prospect_is_billed(desk: Desk) -> list[Edit]:
    """Ownership passes to the books, and the contact for invoices goes with it."""
    lead = desk.company.prospects[HANDED_OVER]
    role = "to_BusinessPartnerRole[BusinessPartnerRole=FLCU01]"
    area = "to_Customer.to_CustomerSalesArea[SalesOrganization=1010][DistributionChannel=10][Division=00]"
    return [
        desk.erp(
            lead, "PIET", "Piet bills {name} from today: it passes from Lena's hands into the books.", Expect.ACCEPT,
            {f"{role}.AuthorizationGroup": "", f"{area}.Currency": "EUR", f"{area}.CustomerPaymentTerms": "NT30"},
        )
    ]  # fmt: skip


def a_prospect_was_a_customer(desk: Desk) -> list[Edit]:
    """Two accounts of which only one is in the books become one; contact and site follow."""
    kept = next(desk.untouched)
    location = desk.company.places.defects["account_not_in_sap"][0][0]
    link = next(row for row in desk.company.places.links if row["LocationId"] == location)
    lost = (str(link["ParentRecordId"]), "")
    sentence = f"Lena merges the prospect {{name}} into {desk.name(kept)}; its contact and its site go along."
    return [desk.crm(lost, "Lena", sentence, Expect.ACCEPT, MasterRecordId=kept[0])]


def a_customer_with_somebody_to_call(desk: Desk) -> list[Edit]:
    """A customer is new in SAP, and a contact with it."""
    firm = next(desk.new)
    return [
        Edit(
            f"Tomas enters {firm.stem} over the telephone.", ERP, PARTNER, "", entered_partner(partner(firm)), "TOMAS",
            Expect.CREATE,
        ),
        *_met("TOMAS", f"and notes her as the one to call at {firm.stem}.", CALLED, f"{EARLIER}2", Expect.CREATE),
    ]  # fmt: skip


def somebody_at_an_unknown_customer(desk: Desk) -> list[Edit]:
    """A contact of a partner of which nobody has said yet which account it is."""
    pair = desk.company.defects["weak_match_only"][UNDECIDED]
    name = desk.name((pair[0], pair[1]))
    sentence = f"and notes him as the one to ask at {name}; which account that is, nobody has said yet."
    return _met("ULRIKE", sentence, ASKED, pair[1], Expect.WAIT)


def _met(person: str, sentence: str, name: tuple[str, str], company: str, expect: Expect) -> list[Edit]:
    """A contact person as SAP's people enter one: the person, then what makes it a contact of the company."""
    first, last = name
    entered = {"BusinessPartnerCategory": "1", "FirstName": first, "LastName": last, "CorrespondenceLanguage": "DE"}
    related = {
        "BusinessPartnerCompany": company,
        "BusinessPartnerPerson": f"{EARLIER}1",
        JOB: [{"EmailAddress": f"{first.lower()}@besuch.example"}],
    }
    told = f"{person.title()} enters {first} {last}, a person like any other,"
    return [
        Edit(told, ERP, PARTNER, "", entered, person, Expect.NOTHING, entity=""),
        Edit(sentence, ERP, RELATIONSHIP, "", related, person, expect, entity="contact"),
    ]
