"""The simulator's front door: Basic and OAuth log-on, client, session cookies and CSRF tokens.

Not here: what a logged-on user may do with business partners.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from werkzeug.wrappers import Request, Response

FETCH = "fetch"
IDLE = timedelta(minutes=30)
"""A session, and with it the token, dies when nobody uses it [common setting]."""


@dataclass(slots=True)
class Door:
    """Who may come in, and which sessions are open."""

    now: Callable[[], datetime]
    client: str
    system: str
    users: dict[str, str]
    clients: dict[str, str] = field(default_factory=lambda: {"fsm-hub": "simulated"})
    """OAuth clients and their secrets; a token works as the first user."""
    tokens: set[str] = field(default_factory=set)
    sessions: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def refused(self, request: Request) -> Response | None:
        """401 for a stranger or another client (mandant), else None."""
        given = request.headers.get("sap-client") or request.args.get("sap-client") or self.client
        if self.user(request) and given == self.client:
            return None
        page = "<html><head><title>Logon failed</title></head><body>401 Unauthorized</body></html>"
        headers = {"WWW-Authenticate": f'Basic realm="SAP NetWeaver Application Server [{self.system}/{self.client}]"'}
        return Response(page, 401, headers, content_type="text/html; charset=utf-8")

    def user(self, request: Request) -> str:
        """The user of this call; empty for a stranger."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return next(iter(self.users)) if value in self.tokens else ""
        name, secret = _basic(value)
        return name.upper() if self.users.get(name.upper()) == secret and secret else ""

    def grant(self, request: Request) -> Response:
        """The token end point: client credentials only."""
        name, secret = _basic(request.headers.get("Authorization", "").partition(" ")[2])
        name, secret = name or request.form.get("client_id", ""), secret or request.form.get("client_secret", "")
        if self.clients.get(name) != secret or request.form.get("grant_type") != "client_credentials":
            return Response(json.dumps({"error": "invalid_client"}), 401, content_type="application/json")
        token = secrets.token_hex(16)
        self.tokens.add(token)
        body = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        return Response(json.dumps(body), content_type="application/json")

    def csrf_refused(self, request: Request) -> Response | None:
        """403 with `x-csrf-token: Required` unless token and session cookie belong together."""
        session = request.cookies.get(self._cookie, "")
        token, used = self.sessions.get(session, ("", self.now()))
        if token and request.headers.get("x-csrf-token") == token and self.now() - used <= IDLE:
            self.sessions[session] = (token, self.now())
            return None
        headers = {"x-csrf-token": "Required"}
        return Response("CSRF token validation failed", 403, headers, content_type="text/plain; charset=utf-8")

    def hand_out(self, request: Request, response: Response) -> None:
        """Answer `X-CSRF-Token: Fetch`: the token of the caller's session, or of a new one."""
        if request.headers.get("x-csrf-token", "").lower() != FETCH:
            return
        session = request.cookies.get(self._cookie, "")
        if session not in self.sessions or self.now() - self.sessions[session][1] > IDLE:
            session = secrets.token_urlsafe(24)
            self.sessions[session] = (secrets.token_urlsafe(16) + "==", self.now())
            # a real system adds `secure`; over plain http on loopback that would hide the cookie
            response.set_cookie(self._cookie, session, path="/", httponly=True)
            response.set_cookie(f"sap-XSRF_{self.system}_{self.client}", secrets.token_urlsafe(12), path="/")
            response.set_cookie("sap-usercontext", f"sap-client={self.client}", path="/")
        response.headers["x-csrf-token"] = self.sessions[session][0]

    @property
    def _cookie(self) -> str:
        return f"SAP_SESSIONID_{self.system}_{self.client}"


def _basic(value: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret
