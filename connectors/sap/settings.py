"""What a person configures for SAP S/4HANA, checked once.

Not here: how the settings are used.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from fsm_core.errors import BadMapping

ROOT = "A_BusinessPartner"
CONTACT = "A_BusinessPartnerContact"
ADDRESS = "A_BusinessPartnerAddress"


@dataclass(frozen=True, slots=True)
class SapSettings:
    """Where the system is, who we are there, and the defaults its customizing needs.

    Either `user` and `password` (Basic) or `token_url`, `client_id` and `client_secret` (OAuth 2 client credentials).
    """

    base_url: str
    user: str = ""
    password: str = field(default="", repr=False)
    token_url: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    business_partner: str = "/sap/opu/odata/sap/API_BUSINESS_PARTNER"
    sap_client: str = ""
    language: str = "EN"
    """Of messages; lock texts are recognised in English."""
    technical_user: str = ""
    """The name our changes carry in `LastChangedByUser`; the Basic user when empty."""
    logical_system: str = ""
    """Names the environment, e.g. `S4HCLNT100`; host and client when empty."""
    page_size: int = 500
    batch: int = 50
    system_time_zone: str = "UTC"
    """IANA name of the zone in which the system writes dates and times of day."""
    overlap: int = 900
    """Seconds read again behind the last pass, before the whole day that date-only filters need."""
    seen_limit: int = 20_000
    """Deliveries of the last days remembered in the cursor (8 bytes each); what goes beyond is delivered again."""
    identification_type: str = "FSMHUB"
    grouping: str = "BP02"
    """Number range grouping of new partners; it must have internal number assignment."""
    category: str = "2"
    roles: tuple[str, ...] = ("FLCU00", "FLCU01")
    contact_roles: tuple[str, ...] = ("BUP001",)
    """Of the person behind a new contact; BUP001 is SAP's own role of a contact person."""
    company_code: str = ""
    sales_organization: str = ""
    distribution_channel: str = ""
    division: str = ""
    if_match: Mapping[str, str] = field(default_factory=dict)
    """Entity set -> "etag" (default) or "*" where a real ETag makes the system dump (KBA 2962502)."""

    @property
    def our_user(self) -> str:
        """The user id that marks our own changes."""
        return (self.technical_user or self.user).upper()

    def default_keys(self, entity_set: str) -> dict[str, str]:
        """Keys of a new customer view that the mapping need not name."""
        match entity_set:
            case "A_CustomerCompany":
                keys = {"CompanyCode": self.company_code}
            case "A_CustomerSalesArea":
                keys = {
                    "SalesOrganization": self.sales_organization,
                    "DistributionChannel": self.distribution_channel,
                    "Division": self.division,
                }
            case _:
                keys = {}
        return {name: value for name, value in keys.items() if value}


EDGE_OPTIONS = frozenset({"patience", "transport", "tap"})


def parsed(settings: Mapping[str, Any]) -> SapSettings:
    """Settings from a plain mapping; raises `BadMapping` that names what is unknown, missing or wrong."""
    known = {entry.name: entry for entry in fields(SapSettings)}
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise BadMapping(f"unknown setting {', '.join(unknown)}; known are {', '.join(known)}", system="sap")
    missing = [name for name, entry in known.items() if _required(entry) and not settings.get(name)]
    if missing:
        raise BadMapping(f"missing setting {', '.join(missing)}; known are {', '.join(known)}", system="sap")
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()}
    return checked(SapSettings(**values))


def _required(entry: Any) -> bool:  # noqa: ANN401 - dataclasses.Field is generic over anything
    return entry.default is MISSING and entry.default_factory is MISSING


def _zone_exists(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


_RULES: tuple[tuple[str, Callable[[SapSettings], bool]], ...] = (
    ("base_url must begin with http:// or https://", lambda s: s.base_url.startswith(("http://", "https://"))),
    (
        "user and password, or token_url, client_id and client_secret are needed",
        lambda s: bool((s.user and s.password) or (s.token_url and s.client_id and s.client_secret)),
    ),
    ("page_size, batch and seen_limit must be at least 1", lambda s: min(s.page_size, s.batch, s.seen_limit) >= 1),
    ("if_match knows 'etag' and '*'", lambda s: set(s.if_match.values()) <= {"etag", "*"}),
    ("system_time_zone is not an IANA name", lambda s: _zone_exists(s.system_time_zone)),
)


def checked(settings: SapSettings) -> SapSettings:
    """The same settings, or `BadMapping` with the first rule they break."""
    for text, holds in _RULES:
        if not holds(settings):
            raise BadMapping(text, system="sap")
    return settings
