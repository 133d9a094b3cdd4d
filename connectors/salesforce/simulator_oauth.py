"""The token endpoint of the simulated org: JWT bearer and client credentials, life time and revocation.

Not here: what a token opens.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from connectors.simulation import VirtualClock

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
Reply = tuple[int, dict[str, Any]]


@dataclass(slots=True)
class ConnectedApp:
    """What the administrator has set up, and the switches on it."""

    client_id: str
    client_secret: str
    username: str
    public_key: str = ""
    """PEM; without one no assertion is accepted."""
    audiences: tuple[str, ...] = ()
    """Accepted `aud` besides the host that was called."""
    approved: bool = True
    """Off: the user has not approved this consumer."""
    token_life: float | None = None
    """Seconds; None: until revoked."""


@dataclass(slots=True)
class Tokens:
    """Tokens given out and still good."""

    app: ConnectedApp
    clock: VirtualClock
    organization: str
    user: str
    issued: dict[str, datetime] = field(default_factory=dict)
    count: int = 0
    """Tokens ever given out."""

    def revoke(self) -> None:
        """Every session ends now."""
        self.issued.clear()

    def good(self, header: str) -> bool:
        """Whether the Authorization header carries a living token."""
        born = self.issued.get(header.removeprefix("Bearer "))
        life = self.app.token_life
        return born is not None and (life is None or self.clock.now() < born + timedelta(seconds=life))

    def grant(self, form: Mapping[str, str], authorization: str, host: str, instance: str) -> Reply:
        """Answer a token request. OAuth errors are an object, unlike all others."""
        kind = form.get("grant_type", "")
        if kind == JWT_GRANT:
            refusal = self._refused_assertion(form.get("assertion", ""), host)
        elif kind == "client_credentials":
            refusal = self._refused_client(form, authorization)
        else:
            refusal = ("unsupported_grant_type", "grant type not supported")
        if refusal is not None:
            return 400, {"error": refusal[0], "error_description": refusal[1]}
        token = self._token(host, instance)
        if kind == JWT_GRANT:
            del token["issued_at"]  # this flow does not tell
        return 200, token

    def _refused_assertion(self, assertion: str, host: str) -> tuple[str, str] | None:
        app = self.app
        try:
            claims = jwt.decode(
                assertion, app.public_key, ["RS256"], options={"verify_exp": False, "verify_aud": False}
            )
            expires = datetime.fromtimestamp(int(claims["exp"]), UTC)
        except (jwt.PyJWTError, ValueError, KeyError):
            return "invalid_grant", "invalid assertion"
        if claims.get("iss") != app.client_id:
            return "invalid_client_id", "client identifier invalid"
        if claims.get("aud") not in {host, *app.audiences}:
            return "invalid_grant", "audience is invalid"
        if not self.clock.now() < expires <= self.clock.now() + timedelta(minutes=5):
            return "invalid_grant", "expired authorization code"
        if claims.get("sub") != app.username or not app.approved:
            return "invalid_grant", "user hasn't approved this consumer"
        return None

    def _refused_client(self, form: Mapping[str, str], authorization: str) -> tuple[str, str] | None:
        given = (form.get("client_id", ""), form.get("client_secret", ""))
        if authorization.startswith("Basic "):
            try:
                name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return "invalid_client", "invalid client credentials"
            given = (name, secret)
        if given[0] != self.app.client_id:
            return "invalid_client_id", "client identifier invalid"
        if given[1] != self.app.client_secret:
            return "invalid_client", "invalid client credentials"
        if not self.app.approved:
            return "invalid_grant", "no client credentials user enabled"
        return None

    def _token(self, host: str, instance: str) -> dict[str, Any]:
        self.count += 1
        now = self.clock.now()
        value = f"{self.organization[:15]}!AQ4A{self.count:08d}.simulated"
        self.issued[value] = now
        return {
            "access_token": value,
            "scope": "api",
            "instance_url": instance,
            "id": f"{host}/id/{self.organization}/{self.user}",
            "token_type": "Bearer",
            "issued_at": str(int(now.timestamp() * 1000)),
        }
