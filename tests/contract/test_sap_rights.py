"""A missing authorisation concerns all partners or one entity set below them; the text or the calls tell which."""

from __future__ import annotations

import pytest

from connectors.sap.batch import Operation
from connectors.sap.odata import Entity, Field
from connectors.sap.rights import judged
from fsm_core.errors import Forbidden, Invalid, MissingPermission

URLS, ADDRESSES, ROLES, AREAS = (
    "A_AddressHomePageURL",
    "A_BusinessPartnerAddress",
    "A_BusinessPartnerRole",
    "A_CustomerSalesArea",
)
URL_PATH = "to_BusinessPartnerAddress[Usage=X].to_URLAddress[Default=true].WebsiteURL"


def entity(name, leaf="Text", **navs):
    return Entity(name, {leaf: Field(leaf, "Edm.String")}, navs, ("Key",))


MODEL = {
    one.name: one
    for one in (
        entity(
            "A_BusinessPartner",
            to_BusinessPartnerAddress=(ADDRESSES, True),
            to_BusinessPartnerRole=(ROLES, True),
            to_Customer=("A_Customer", False),
        ),
        entity(ADDRESSES, to_URLAddress=(URLS, True)),
        entity(URLS, "WebsiteURL"),
        entity(ROLES, "BusinessPartnerRole"),
        entity("A_Customer", to_CustomerSalesArea=(AREAS, True)),
        entity(AREAS, "Currency"),
    )
}
PATCH_ROOT = Operation("PATCH", "A_BusinessPartner('1')")
PATCH_URL = Operation("PATCH", f"{URLS}(AddressID='2',Person='')")
ADD_ROLE = Operation("POST", "A_BusinessPartner('1')/to_BusinessPartnerRole")
ADD_URL = Operation("POST", f"{ADDRESSES}(BusinessPartner='1',AddressID='2')/to_URLAddress")
CREATE = Operation("POST", "A_BusinessPartner")
PATCH_AREA = Operation("PATCH", f"{AREAS}(Customer='1')")


def judge(operations, text="No authorization", paths=()):
    return judged(MissingPermission(text, system="sap", code="X/1"), operations, paths, MODEL)


@pytest.mark.parametrize(
    ("operations", "text"),
    [
        ([PATCH_ROOT], "No authorization"),
        ([CREATE], "No authorization"),
        ([PATCH_ROOT, PATCH_URL], "No authorization for entity set A_BusinessPartner"),
        ([PATCH_URL], "No authorization for type A_BusinessPartnerType"),
    ],
)
def test_the_root_concerns_all_partners(operations, text):
    error = judge(operations, text)
    assert type(error) is MissingPermission
    assert error.message == text


@pytest.mark.parametrize(
    ("operations", "text", "named"),
    [
        ([PATCH_URL], "No authorization", URLS),
        ([ADD_URL], "No authorization", URLS),
        ([ADD_ROLE], "No authorization", ROLES),
        ([PATCH_ROOT, PATCH_URL], f"No authorization for entity set {URLS}", URLS),
        ([CREATE], f"You may not create {ADDRESSES}Type", ADDRESSES),
        ([PATCH_ROOT, ADD_ROLE], "No authorization", f"A_BusinessPartner or {ROLES}"),
    ],
)
def test_a_child_set_concerns_its_records_and_is_named_with_a_remedy(operations, text, named):
    error = judge(operations, text)
    assert type(error) is Forbidden
    assert error.message == f"{named}: {text}"
    assert named in error.remedy
    assert "problems retry" in error.remedy
    assert (error.system, error.code) == ("sap", "X/1")


@pytest.mark.parametrize(
    ("operation", "paths", "field"),
    [
        (PATCH_URL, ["Text", URL_PATH], URL_PATH),
        (ADD_ROLE, ["to_BusinessPartnerRole.BusinessPartnerRole"], "to_BusinessPartnerRole"),
        (PATCH_AREA, ["to_Customer.to_CustomerSalesArea[Org=1,Div=2].Currency"], "Currency"),
        (PATCH_AREA, ["to_Nowhere.Currency", "Text"], ""),
    ],
)
def test_the_field_is_the_path_that_was_sent_there_as_a_mapping_says_it(operation, paths, field):
    assert judge([operation], paths=paths).field == field


def test_every_other_refusal_is_left_as_it_is():
    error = Invalid("No")
    assert judged(error, [PATCH_URL], (), MODEL) is error
