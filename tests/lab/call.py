"""One API call as it arrived: what the other parts ask about it. It decides nothing."""

import contextvars
import functools
import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qs

_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]*)/([^/]+)/")


@dataclass
class Call:
    method: str
    raw_path: str
    query_string: str
    headers: dict[str, str]
    body: bytes
    client_ip: str = "127.0.0.1"
    refused_by_scp: bool = False
    # The call as it was signed, where the lab renames what it says.
    sent: "Call | None" = None

    @functools.cached_property
    def _scope(self) -> tuple[str, str, str]:
        """Access key id, Region and signing name of the request's signature; empty when unsigned."""
        found = _CREDENTIAL.search(self.headers.get("authorization", ""))
        if found:
            return found.group(1), found.group(2), found.group(3)
        presigned = self.query.get("X-Amz-Credential", [""])[0].split("/")
        return (presigned[0], presigned[2], presigned[3]) if len(presigned) >= 5 else ("", "", "")

    @property
    def access_key_id(self) -> str:
        return self._scope[0]

    @property
    def signed_region(self) -> str:
        """The Region that the signature names: empty when it names none, and when there is no signature."""
        return self._scope[1]

    @property
    def region(self) -> str:
        return self.signed_region or "us-east-1"

    @property
    def signing_name(self) -> str:
        return self._scope[2]

    @functools.cached_property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.query_string, keep_blank_values=True)

    @functools.cached_property
    def form(self) -> dict[str, str]:
        """Parameters of a query-protocol call, from its body and its query string."""
        merged = {key: values[0] for key, values in self.query.items()}
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            body = parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)
            merged.update({key: values[0] for key, values in body.items()})
        return merged

    @functools.cached_property
    def json(self) -> dict:
        try:
            document = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


@dataclass
class Answer:
    """What a call was answered."""

    status: int
    headers: dict[str, str]
    body: bytes


_current: contextvars.ContextVar[Call | None] = contextvars.ContextVar("lab_call", default=None)


def current() -> Call | None:
    """The call being answered in this task; `None` for the lab's own work."""
    return _current.get()


def enter(call: Call) -> contextvars.Token:
    return _current.set(call)


def leave(token: contextvars.Token) -> None:
    _current.reset(token)
