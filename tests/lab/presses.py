"""Presses of buttons as Slack makes them: only what a message shows, signed, sent to the app's request URL."""

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from urllib.parse import urlencode

from .clock import clock

SIGNING_SECRET = "lab-signing-secret"
_PATIENCE_SECONDS = 3  # Slack's own


class Presses:
    """A person's finger on the messages that were posted."""

    def __init__(self) -> None:
        self._last: tuple[bytes, dict[str, str]] | None = None

    def press(self, messages: list, given: dict) -> dict:
        """Presses a button as a user. `seconds_ago` and `secret` make the request what Slack's never is."""
        message, button = _button(messages, given["action_id"], given["value"])
        moment = clock.now() - float(given.get("seconds_ago", 0))
        body = urlencode({"payload": json.dumps(_payload(message, button, given["user"], moment))}).encode()
        stamp = str(int(moment))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": _signed(given.get("secret", SIGNING_SECRET), stamp, body),
        }
        self._last = body, headers
        return _sent(given["url"], body, headers)

    def again(self, given: dict) -> dict:
        """The last request once more, to the letter."""
        if self._last is None:
            raise ValueError("nothing was pressed yet")
        return _sent(given["url"], *self._last)


def _button(messages: list, action_id: str, value: str) -> tuple:
    for message in messages:
        for block in message.blocks:
            for element in block.get("elements", []) if block["type"] == "actions" else []:
                if (element.get("action_id"), element.get("value")) == (action_id, value):
                    return message, element
    raise ValueError(f"no message shows a button {action_id} for {value}")


def _payload(message, button: dict, user: str, moment: float) -> dict:
    name = user.removeprefix("U0").lower()
    return {
        "type": "block_actions",
        "user": {"id": user, "username": name, "name": name, "team_id": "T0SECURE"},
        "api_app_id": "A0KEEPWATCH",
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": False,
            **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
        },
        "trigger_id": "1.2.3",
        "team": {"id": "T0SECURE", "domain": "securecart"},
        "channel": {"id": message.channel, "name": "keepwatch"},
        "message": message.on_the_wire(True),
        "response_url": "https://hooks.slack.invalid/actions/1",
        "actions": [{**button, "block_id": "b", "action_ts": f"{moment:.6f}"}],
    }


def _signed(secret: str, stamp: str, body: bytes) -> str:
    return "v0=" + hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()


def _sent(url: str, body: bytes, headers: dict[str, str]) -> dict:
    try:
        request = urllib.request.Request(url, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as answer:
            return {"status": answer.status}
    except urllib.error.HTTPError as refused:
        return {"status": refused.code}
