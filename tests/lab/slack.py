"""Slack's Web API as far as Keepwatch speaks it, as strict as Slack's own about Block Kit.

Messages are kept in memory and shown by the control API. Nothing is sent anywhere.
"""

import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from . import block_kit
from .call import Answer
from .clock import clock
from .presses import Presses

TOKEN = "xoxb-lab"
CHANNELS = {"C0KEEPWATCH": "keepwatch"}
_READS = ("conversations.",)
_TEXT_LIMIT = 40_000
_PAGE = 100
_LATEST_SECONDS = 120 * 24 * 3600


class SlackError(Exception):
    def __init__(self, code: str, messages: list[str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.messages = messages


@dataclass
class Message:
    channel: str
    ts: str
    text: str
    blocks: list
    metadata: dict | None = None
    thread_ts: str | None = None
    updated: bool = False

    def shown(self) -> dict:
        return {
            "channel": self.channel,
            "ts": self.ts,
            "thread_ts": self.thread_ts,
            "text": self.text,
            "blocks": self.blocks,
            "metadata": self.metadata,
            "updated": self.updated,
        }

    def on_the_wire(self, with_metadata: bool) -> dict:
        shown = {"type": "message", "user": "U0KEEPWATCH", "bot_id": "B0KEEPWATCH", "ts": self.ts, "text": self.text}
        if self.blocks:
            shown["blocks"] = self.blocks
        if self.thread_ts:
            shown["thread_ts"] = self.thread_ts
        if self.metadata and with_metadata:
            shown["metadata"] = self.metadata
        if self.updated:
            shown["edited"] = {"user": "U0KEEPWATCH", "ts": self.ts}
        return shown


@dataclass
class _Trouble:
    status: int
    retry_after: int
    times: int


@dataclass
class Slack:
    messages: list[Message] = field(default_factory=list)
    ephemerals: list[dict] = field(default_factory=list)
    presses: Presses = field(default_factory=Presses)
    _trouble: list[_Trouble] = field(default_factory=list)
    _scheduled: list[tuple[int, Message]] = field(default_factory=list)
    _last_ts: float = 0.0

    def trouble(self, status: int, retry_after: int, times: int) -> None:
        self._trouble.append(_Trouble(status, retry_after, times))

    def answer(self, method: str, headers: dict[str, str], body: bytes, query: str) -> Answer:
        """One call of the Web API. Slack answers 200 even when it refuses."""
        for trouble in self._trouble:
            if trouble.times > 0:
                trouble.times -= 1
                return _troubled(trouble)
        try:
            given = _given(headers, body, query)
            _check_token(headers, given)
            _refuse_json_where_slack_wants_a_form(method, headers, body)
            document = {"ok": True, **self._call(method, given)}
        except SlackError as refused:
            document = {"ok": False, "error": refused.code}
            if refused.messages:
                document["response_metadata"] = {"messages": refused.messages}
        return Answer(200, {"content-type": "application/json; charset=utf-8"}, json.dumps(document).encode())

    def _call(self, method: str, given: dict) -> dict:
        methods = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.postEphemeral": self._ephemeral,
            "chat.scheduleMessage": self._schedule,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
        }
        if method not in methods:
            raise SlackError("unknown_method")
        return methods[method](given)

    @staticmethod
    def _auth_test(given: dict) -> dict:
        return {
            "url": "https://securecart.slack.com/",
            "team": "SecureCart",
            "user": "keepwatch",
            "team_id": "T0SECURE",
            "user_id": "U0KEEPWATCH",
            "bot_id": "B0KEEPWATCH",
            "is_enterprise_install": False,
        }

    def _post(self, given: dict) -> dict:
        channel = _channel(given)
        text, blocks = _content(given)
        thread = given.get("thread_ts")
        if thread and not self._find(channel, str(thread)):
            raise SlackError("thread_not_found")
        message = Message(channel, self._next_ts(), text, blocks, _metadata(given), str(thread) if thread else None)
        self.messages.append(message)
        return {"channel": channel, "ts": message.ts, "message": message.on_the_wire(True)}

    def _ephemeral(self, given: dict) -> dict:
        channel = _channel(given)
        text, blocks = _content(given)
        if not given.get("user"):
            raise SlackError("user_not_in_channel")
        ephemeral = {"channel": channel, "user": given["user"], "thread_ts": given.get("thread_ts"), "text": text}
        self.ephemerals.append({**ephemeral, "blocks": blocks})
        return {"message_ts": self._next_ts()}

    def _schedule(self, given: dict) -> dict:
        channel = _channel(given)
        text, blocks = _content(given)
        try:
            post_at = int(given["post_at"])
        except (KeyError, ValueError):
            raise SlackError("invalid_time") from None
        if post_at <= clock.now():
            raise SlackError("time_in_past")
        if post_at > clock.now() + _LATEST_SECONDS:
            raise SlackError("time_too_far")
        thread = given.get("thread_ts")
        self._scheduled.append((post_at, Message(channel, "", text, blocks, None, str(thread) if thread else None)))
        return {"channel": channel, "scheduled_message_id": f"Q{len(self._scheduled)}", "post_at": post_at}

    def post_what_is_due(self) -> None:
        """Scheduled messages whose time has come."""
        due = [one for one in self._scheduled if one[0] <= clock.now()]
        self._scheduled = [one for one in self._scheduled if one[0] > clock.now()]
        for _, message in due:
            message.ts = self._next_ts()
            self.messages.append(message)

    def _update(self, given: dict) -> dict:
        channel = _channel(given)
        message = self._find(channel, str(given.get("ts", "")))
        if message is None:
            raise SlackError("message_not_found")
        message.text, message.blocks = _content(given)
        message.metadata = _metadata(given) or message.metadata
        message.updated = True
        return {"channel": channel, "ts": message.ts, "text": message.text, "message": message.on_the_wire(True)}

    def _history(self, given: dict) -> dict:
        channel = _channel(given)
        found = [one for one in self.messages if one.channel == channel and not one.thread_ts and _between(one, given)]
        return _page(found[::-1], given)

    def _replies(self, given: dict) -> dict:
        channel, ts = _channel(given), str(given.get("ts", ""))
        if not self._find(channel, ts):
            raise SlackError("thread_not_found")
        found = [one for one in self.messages if one.channel == channel and ts in (one.ts, one.thread_ts)]
        return _page([one for one in found if _between(one, given)], given)

    def _find(self, channel: str, ts: str) -> Message | None:
        return next((one for one in self.messages if one.channel == channel and one.ts == ts), None)

    def _next_ts(self) -> str:
        self._last_ts = max(clock.now(), self._last_ts + 0.000_001)
        return f"{self._last_ts:.6f}"


def _troubled(trouble: _Trouble) -> Answer:
    if trouble.status == 429:
        headers = {"retry-after": str(trouble.retry_after), "content-type": "application/json"}
        return Answer(429, headers, b'{"ok":false,"error":"ratelimited"}')
    return Answer(trouble.status, {"content-type": "text/plain"}, b"upstream trouble")


def _given(headers: dict[str, str], body: bytes, query: str) -> dict:
    given = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    if _is_json(headers):
        try:
            document = json.loads(body or b"{}")
        except ValueError:
            raise SlackError("invalid_json") from None
        if not isinstance(document, dict):
            raise SlackError("json_not_object")
        return {**given, **document}
    form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    given.update({name: values[0] for name, values in form.items()})
    for name in ("blocks", "metadata"):
        if isinstance(given.get(name), str):
            given[name] = _from_text(name, given[name])
    return given


def _refuse_json_where_slack_wants_a_form(method: str, headers: dict[str, str], body: bytes) -> None:
    """Methods that read take a form or a query; what stands in a JSON body is not seen."""
    if method.startswith(_READS) and body and _is_json(headers):
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: channel"])


def _is_json(headers: dict[str, str]) -> bool:
    return headers.get("content-type", "").startswith("application/json")


def _from_text(name: str, text: str):
    try:
        return json.loads(text)
    except ValueError:
        raise SlackError(f"invalid_{name}_format") from None


def _check_token(headers: dict[str, str], given: dict) -> None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    token = token if scheme.lower() == "bearer" else given.get("token")
    if not token:
        raise SlackError("not_authed")
    if token != TOKEN:
        raise SlackError("invalid_auth")


def _channel(given: dict) -> str:
    wanted = str(given.get("channel") or "")
    for identifier, name in CHANNELS.items():
        if wanted in (identifier, name, f"#{name}"):
            return identifier
    raise SlackError("channel_not_found")


def _content(given: dict) -> tuple[str, list]:
    text, blocks = given.get("text") or "", given.get("blocks") or []
    if not text and not blocks:
        raise SlackError("no_text")
    if len(text) > _TEXT_LIMIT:
        raise SlackError("msg_too_long")
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    problems = block_kit.problems(blocks)
    if problems:
        raise SlackError("invalid_blocks", problems)
    return text, blocks


def _metadata(given: dict) -> dict | None:
    metadata = given.get("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    if not metadata.get("event_type"):
        raise SlackError("invalid_metadata_schema")
    return metadata


def _between(message: Message, given: dict) -> bool:
    inclusive = str(given.get("inclusive", "")).lower() in ("true", "1")
    ts, oldest, latest = float(message.ts), given.get("oldest"), given.get("latest")
    after = oldest is None or ts > float(oldest) or (inclusive and ts == float(oldest))
    before = latest is None or ts < float(latest) or (inclusive and ts == float(latest))
    return after and before


def _page(found: list[Message], given: dict) -> dict:
    with_metadata = str(given.get("include_all_metadata", "")).lower() in ("true", "1")
    start = int(given.get("cursor") or 0)
    end = start + int(given.get("limit") or _PAGE)
    more = end < len(found)
    page = [message.on_the_wire(with_metadata) for message in found[start:end]]
    return {"messages": page, "has_more": more, "response_metadata": {"next_cursor": str(end) if more else ""}}
