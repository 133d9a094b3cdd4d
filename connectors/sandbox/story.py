"""A day in both systems, told as some sixty edits: everyday ones, clumsy ones and ones that contradict each other.

Not here: the edits of contacts and sites (`story_people`) and performing them (`players`).
"""

from __future__ import annotations

from connectors.sandbox.company import Company
from connectors.sandbox.desk import CRM, ERP, Desk
from connectors.sandbox.edits import Edit, Expect
from connectors.sandbox.firm import Firm
from connectors.sandbox.rows import account, entered_account, entered_partner, partner
from connectors.sandbox.story_people import people_and_places

STANDARD = "to_BusinessPartnerAddress[to_AddressUsage.AddressUsage=XXDEFAULT]"
DELIVERY = "to_BusinessPartnerAddress[to_AddressUsage.AddressUsage=SHIP_TO]"
SALES = "to_Customer.to_CustomerSalesArea[SalesOrganization=1010]"
ERP_PHONE = f"{STANDARD}.to_PhoneNumber[OrdinalNumber=1].PhoneNumber"


def story(company: Company) -> list[Edit]:
    """The edits in order; the same company has the same story."""
    desk = Desk(company)
    return [
        *side_by_side(desk),
        *owners_at_work(desk),
        *not_theirs_to_change(desk),
        *proposals(desk),
        *against_each_other(desk),
        *newest_number(desk),
        *everybody_may(desk),
        *nothing_really(desk),
        *the_end_of_relations(desk),
        *newcomers(desk),
        *people_and_places(desk),
    ]


def side_by_side(desk: Desk) -> list[Edit]:
    """Both edit one record, each what is theirs: both must land."""
    one, two, three = next(desk.untouched), next(desk.untouched), next(desk.untouched)
    return [
        desk.crm(
            one, "Jonas", "Jonas has the parts of {name} delivered to the back gate.", Expect.ACCEPT,
            ShippingStreet="Hintertor 2", ShippingCity="Ulm", ShippingPostalCode="89073", ShippingCountry="Germany",
        ),
        desk.erp(
            one, "ULRIKE", "Ulrike grants {name} other terms, at the same hour.", Expect.ACCEPT,
            {f"{SALES}.CustomerPaymentTerms": "NT45"},
        ),
        desk.erp(
            two, "TOMAS", "Tomas moves {name} to its new street.", Expect.ACCEPT,
            {f"{STANDARD}.StreetName": "Neue Kältegasse", f"{STANDARD}.HouseNumber": "7"},
        ),
        desk.crm(two, "Lena", "Lena writes to {name} in English from now on.", Expect.ACCEPT, FSM_Language__c="en"),
        desk.crm(
            three, "Mira", "Mira notes where {name} wants its letters.", Expect.ACCEPT,
            FSM_Email__c=str(desk.account(three)["FSM_Email__c"]).replace("office@", "service@"),
        ),
        desk.erp(
            three, "TOMAS", "Tomas corrects the registered name of {name}.", Expect.ACCEPT,
            {"OrganizationBPName1": f"{desk.name(three)} Betriebe GmbH"},
        ),
    ]  # fmt: skip


def owners_at_work(desk: Desk) -> list[Edit]:
    """Owners change what is theirs, some of it known to one system only; an owner who blanks a field is asked."""
    note, blanked, blocked, lead = (
        next(desk.untouched),
        next(desk.untouched),
        next(desk.untouched),
        next(desk.prospects),
    )
    return [
        desk.crm(
            note, "Jonas", "Jonas notes that {name} wants a call before every visit.", Expect.ACCEPT,
            FSM_Service_Notes__c="Vor jedem Besuch anrufen.", FSM_Trade_Name__c=f"{desk.name(note)} am Hafen",
        ),
        desk.erp(
            blanked, "ULRIKE", "Ulrike wipes the payment terms of {name} by mistake.", Expect.CONFLICT,
            {f"{SALES}.CustomerPaymentTerms": ""},
        ),
        desk.erp(
            blocked, "PIET", "Piet stops billing {name}.", Expect.ACCEPT,
            {"to_Customer.BillingIsBlockedForCustomer": "01"},
        ),
        desk.crm(
            lead, "Lena", "Lena renames the prospect {name}, which is still hers.", Expect.ACCEPT,
            Name=f"{desk.name(lead)} Neubau GmbH",
        ),
    ]  # fmt: skip


def not_theirs_to_change(desk: Desk) -> list[Edit]:
    """Others change what a rule puts back."""
    terms, tax, number, state = (next(desk.untouched) for _ in range(4))
    other = str(int(desk.account(number)["AccountNumber"]) + 2)
    return [
        desk.crm(
            terms, "Mira", "Mira promises {name} ninety days; terms are Ulrike's.", Expect.REVERT,
            FSM_Payment_Terms__c="NT90",
        ),
        desk.crm(tax, "Mira", "Mira mistypes the VAT id of {name}.", Expect.REVERT, FSM_VAT_Id__c="DE999999999"),
        desk.crm(number, "Mira", "Mira overwrites the account number of {name}.", Expect.REVERT, AccountNumber=other),
        desk.crm(
            state, "Mira", "Mira sets {name} to blocked, which only the books may say.", Expect.REVERT,
            FSM_Billing_Status__c="Blocked",
        ),
    ]  # fmt: skip


def proposals(desk: Desk) -> list[Edit]:
    """Others change what the owner should look at."""
    name, street, tongue = (next(desk.untouched) for _ in range(3))
    delivery, lead = next(desk.with_delivery), next(desk.prospects)
    return [
        desk.crm(
            name, "Mira", "Mira hears that {name} has a new registered name.", Expect.PROPOSE,
            Name=f"{desk.name(name)} Holding GmbH",
        ),
        desk.crm(
            street, "Jonas", "Jonas found {name} at another address.", Expect.PROPOSE,
            BillingStreet="Umzugsweg 44", BillingCity="Kiel", BillingPostalCode="24103",
        ),
        desk.erp(
            delivery, "TOMAS", "Tomas sends the goods of {name} elsewhere; that address is Lena's.", Expect.PROPOSE,
            {f"{DELIVERY}.StreetName": "Rampe Nord", f"{DELIVERY}.HouseNumber": "1"},
        ),
        desk.erp(
            tongue, "TOMAS", "Tomas writes to {name} in French; language is Lena's.", Expect.PROPOSE,
            {"CorrespondenceLanguage": "FR"},
        ),
        desk.erp(
            lead, "TOMAS", "Tomas renames {name}, which nobody bills yet.", Expect.PROPOSE,
            {"OrganizationBPName1": f"{desk.name(lead)} Verwaltung GmbH"},
        ),
    ]  # fmt: skip


def against_each_other(desk: Desk) -> list[Edit]:
    """The same field on both sides: owner wins, a person decides, or both say the same."""
    name, money, alone, street = (next(desk.untouched) for _ in range(4))
    line = f"{desk.standard(street)['StreetName']} {desk.standard(street)['HouseNumber']}a"
    return [
        desk.crm(
            name, "Mira", "Mira renames {name} after a rumour.", Expect.REVERT, Name=f"{desk.name(name)} Gruppe AG"
        ),
        desk.erp(
            name, "TOMAS", "Tomas renames {name} after the register's letter.", Expect.ACCEPT,
            {"OrganizationBPName1": f"{desk.name(name)} Beteiligungen GmbH"},
        ),
        desk.crm(
            money, "Lena", "Lena has {name} pay in Swiss francs.", Expect.CONFLICT, FSM_Currency__c="CHF"
        ),
        desk.erp(
            money, "PIET", "Piet has {name} pay in dollars.", Expect.CONFLICT, {f"{SALES}.Currency": "USD"}
        ),
        desk.crm(
            alone, "Lena", "Lena has {name} pay in pounds; nobody told the books.", Expect.CONFLICT,
            FSM_Currency__c="GBP",
        ),
        desk.crm(
            street, "Jonas", "Jonas corrects the house number of {name}.", Expect.CONVERGE, BillingStreet=line
        ),
        desk.erp(
            street, "TOMAS", "Tomas corrects it too, to the same.", Expect.CONVERGE,
            {f"{STANDARD}.HouseNumber": f"{desk.standard(street)['HouseNumber']}a"},
        ),
    ]  # fmt: skip


def newest_number(desk: Desk) -> list[Edit]:
    """Telephone, e-mail and website belong to whoever knew last."""
    one, two, three, four = (next(desk.untouched) for _ in range(4))
    return [
        desk.crm(one, "Mira", "Mira notes the new number of {name}.", Expect.ACCEPT, Phone=_other(desk, one, 37)),
        desk.erp(
            two, "ULRIKE", "Ulrike notes the new number of {name}.", Expect.ACCEPT,
            {ERP_PHONE: _national(_other(desk, two, 41))},
        ),
        desk.erp(
            three, "ULRIKE", "Ulrike notes a number of {name} that is old already.", Expect.REVERT,
            {ERP_PHONE: _national(_other(desk, three, 11))},
        ),
        desk.crm(
            three, "Mira", "Mira notes the number {name} really has, later.", Expect.ACCEPT,
            Phone=_other(desk, three, 23),
        ),
        desk.crm(
            four, "Mira", "Mira notes the new home page of {name}.", Expect.ACCEPT,
            Website=str(desk.account(four)["Website"]).replace("www.", "shop."),
        ),
    ]  # fmt: skip


def everybody_may(desk: Desk) -> list[Edit]:
    """Some facts only add up."""
    quiet, both = next(desk.untouched), next(desk.untouched)
    return [
        desk.crm(
            quiet, "Jonas", "Jonas is told never to call {name} again.", Expect.ACCEPT, FSM_Do_Not_Contact__c=True
        ),
        desk.crm(
            both, "Lena", "Lena adds that {name} also pays.", Expect.ACCEPT,
            FSM_Roles__c=f"{desk.account(both)['FSM_Roles__c']};payer",
        ),
    ]  # fmt: skip


def nothing_really(desk: Desk) -> list[Edit]:
    """Edits that change nothing that matters."""
    dressed, page, saved = (next(desk.untouched) for _ in range(3))
    phone = str(desk.account(dressed)["Phone"])
    site = str(desk.account(page)["Website"])
    dial, area, rest = phone.split(" ")
    return [
        desk.crm(
            dressed, "Mira", "Mira writes the number of {name} her own way.", Expect.NOTHING,
            Phone=f"{dial} (0){area} / {rest[:3]}-{rest[3:]}",
        ),
        desk.crm(
            page, "Mira", "Mira shortens the web address of {name}.", Expect.NOTHING,
            Website=site.removeprefix("https://") + "/",
        ),
        desk.erp(
            saved, "TOMAS", "Tomas opens {name} and saves it as it was.", Expect.NOTHING,
            {"OrganizationBPName1": desk.partners[saved[1]]["OrganizationBPName1"]},
        ),
    ]  # fmt: skip


def the_end_of_relations(desk: Desk) -> list[Edit]:
    """A block, an archiving, and two accounts that were one all along."""
    blocked, archived = next(desk.untouched), next(desk.untouched)
    winner, loser = desk.company.defects["duplicate_in_salesforce_by_vat"][0]
    pair = (loser, desk.company.pairs[winner])
    return [
        desk.erp(
            blocked, "PIET", "Piet blocks {name}.", Expect.ACCEPT, {"BusinessPartnerIsBlocked": True}
        ),
        desk.erp(
            archived, "PIET", "Piet marks {name} for archiving.", Expect.ACCEPT, {"IsMarkedForArchiving": True}
        ),
        desk.crm(
            pair, "Lena", "Lena merges the second account of {name} into the first.", Expect.ACCEPT,
            MasterRecordId=winner,
        ),
    ]  # fmt: skip


def newcomers(desk: Desk) -> list[Edit]:
    """New customers: one on each side, and one that both sides meet on the same day."""
    crm, erp, both = (next(desk.new) for _ in range(3))
    return [
        _new_account(crm, "Lena", f"Lena wins {crm.stem}.", Expect.CREATE),
        _new_partner(erp, "TOMAS", f"Tomas enters {erp.stem} from a paper order.", Expect.CREATE),
        _new_account(both, "Lena", f"Lena wins {both.stem} at the fair.", Expect.CONVERGE),
        _new_partner(both, "TOMAS", f"Tomas enters {both.stem} from the fair's order book.", Expect.CONVERGE),
    ]


def _new_account(firm: Firm, person: str, sentence: str, expect: Expect) -> Edit:
    unbilled = {"AccountNumber": None, "FSM_Payment_Terms__c": None, "FSM_Billing_Status__c": "None"}
    return Edit(sentence, CRM, "Account", "", entered_account(account(firm) | unbilled), person, expect)


def _new_partner(firm: Firm, person: str, sentence: str, expect: Expect) -> Edit:
    return Edit(sentence, ERP, "A_BusinessPartner", "", entered_partner(partner(firm)), person, expect)


def _other(desk: Desk, pair: tuple[str, str], step: int) -> str:
    phone = str(desk.account(pair)["Phone"])
    return f"{phone[:-2]}{(int(phone[-2:]) + step) % 100:02}"


def _national(phone: str) -> str:
    return f"0{phone.partition(' ')[2]}"
