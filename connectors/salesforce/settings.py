"""What the connector has to be told, and how a plain mapping becomes it.

Not here: where the values come from (environment, files, secret stores are the settings layer's).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from fsm_core.errors import BadMapping

Flow = Literal["jwt", "client_credentials"]
SMALLEST_PAGE, LARGEST_PAGE = 200, 2000
KINDS: dict[str, tuple[type, ...]] = {"page_size": (int,), "overlap": (int, float), "allow_duplicates": (bool,)}
"""What is not text."""
NEEDED: dict[str, tuple[str, ...]] = {"jwt": ("username", "private_key"), "client_credentials": ("client_secret",)}


@dataclass(frozen=True, slots=True)
class SalesforceSettings:
    """One org, one integration user. Secrets are values, never shown by `repr`."""

    login_url: str
    """`https://login.salesforce.com`, `https://test.salesforce.com` or the My Domain URL."""
    auth: Flow
    client_id: str
    username: str = ""
    private_key: str = field(default="", repr=False)
    """PEM text of the key whose certificate the connected app holds (flow `jwt`)."""
    client_secret: str = field(default="", repr=False)
    audience: str = ""
    """`aud` of the JWT where it differs from `login_url`."""
    api_version: str = "62.0"
    page_size: int = LARGEST_PAGE
    """Rows per page, 200 to 2000; Salesforce takes it as a hint only."""
    overlap: float = 600.0
    """Seconds read again behind the cursor: longer than the longest transaction of the org."""
    client_name: str = "fsm-hub"
    allow_duplicates: bool = False
    """Save although a duplicate rule objects; off, such records go to a person."""
    name: str = "salesforce"

    def __post_init__(self) -> None:
        """Raises `BadMapping` for values that can never work."""
        if self.auth not in get_args(Flow):
            raise BadMapping(f"auth {self.auth!r} is not one of {', '.join(get_args(Flow))}", field="auth")
        missing = [key for key in ("login_url", "client_id", *NEEDED[self.auth]) if not getattr(self, key)]
        if missing:
            raise BadMapping(f"missing for {self.auth}: {', '.join(missing)}", field=missing[0])
        if not SMALLEST_PAGE <= self.page_size <= LARGEST_PAGE:
            raise BadMapping(
                f"page_size {self.page_size} is outside {SMALLEST_PAGE}..{LARGEST_PAGE}", field="page_size"
            )


def settings_from(given: Mapping[str, Any]) -> SalesforceSettings:
    """Settings from a plain mapping. Raises `BadMapping` naming an unknown or missing key and the known ones."""
    known = {item.name: item for item in dataclasses.fields(SalesforceSettings)}
    listed = f"known: {', '.join(known)}"
    for key in given:
        if key not in known:
            raise BadMapping(f"unknown setting {key!r}; {listed}", field=key)
    for key, item in known.items():
        if item.default is dataclasses.MISSING and key not in given:
            raise BadMapping(f"missing setting {key!r}; {listed}", field=key)
        if key in given and not isinstance(given[key], KINDS.get(key, (str,))):
            wanted = " or ".join(kind.__name__ for kind in KINDS.get(key, (str,)))
            raise BadMapping(f"setting {key!r} must be {wanted}", field=key)
    return SalesforceSettings(**given)
