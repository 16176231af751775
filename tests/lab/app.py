"""The web application: every call comes in here, is answered by the emulator, and is recorded before its answer leaves.

One call, top to bottom: read it, let a fault strike, note who is calling, let the emulator answer, record, answer.
"""

import asyncio
import time
import uuid
from dataclasses import dataclass, field

from hypercorn.protocol.events import StreamClosed
from ministack import app as emulator

from . import (
    authorization,
    bus,
    call,
    clock,
    control,
    faults,
    iam_limits,
    identity,
    managed_policies,
    organization,
    partition,
    regions,
    sessions,
    shapes,
    slack,
    spelling,
    stacks,
    tables,
    trails,
)
from .backup import jobs
from .backup import service as backup
from .call import Answer, Call
from .clock import TimeModule
from .delivery import Delivery
from .history import History
from .propagation import Propagations
from .recorder import Recorder
from .stats import Stats
from .throttle import Throttle
from .trail_files import TrailFiles

CONTROL_PREFIX = "/_lab/"


@dataclass
class Lab:
    """The parts that hold state."""

    clock: clock.Clock
    propagations: Propagations
    faults: faults.Faults
    throttle: Throttle
    delivery: Delivery
    recorder: Recorder
    slack: slack.Slack
    stats: Stats
    pace: jobs.Pace
    # Off while the lab builds its own world: that is nobody's doing.
    recording: bool = False


def build() -> Lab:
    """Put our parts in place of the emulator's, and return those that hold state."""
    now = clock.clock
    propagations, history = Propagations(now), History(now)
    _install_time(now)
    authorization.install(propagations)
    history.install()
    trails.install()
    bus.install()
    backup.install()
    iam_limits.install()
    managed_policies.install()
    organization.install()
    partition.install()
    sessions.install()
    stacks.install()
    tables.install()
    return Lab(
        clock=now,
        propagations=propagations,
        faults=faults.Faults(),
        throttle=Throttle(now),
        delivery=Delivery(now, history, TrailFiles()),
        recorder=Recorder(now.now),
        slack=slack.Slack(),
        stats=Stats(),
        pace=jobs.pace,
    )


def _install_time(now: clock.Clock) -> None:
    from ministack.core import iam_evaluator
    from ministack.services import cloudtrail, iam, kms, sqs, sts

    for module in (sts, iam_evaluator, iam, cloudtrail, kms, sqs):
        module.time = TimeModule(now)


@dataclass
class _Captured:
    """An answer of the emulator, before it is sent."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    async def send(self, message: dict) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def answer(self) -> Answer:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.headers}
        return Answer(self.status, headers, bytes(self.body))


class App:
    """The ASGI application."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    async def __call__(self, scope: dict, receive, send) -> None:
        if scope["type"] != "http":
            await emulator.app(scope, receive, send)
            return
        sent = await _read(scope, receive)
        if scope["path"].startswith(CONTROL_PREFIX):
            await _send(send, await control.answer(self._lab, sent))
            return
        # The lab builds its own world in its own names.
        incoming = partition.inward(sent) if self._lab.recording else sent
        token = call.enter(incoming)
        try:
            answer = await self._answer(partition.scope_of(scope, incoming), incoming)
        finally:
            call.leave(token)
        if answer is None:
            await _drop(send)
        else:
            await _send(send, partition.outward(answer, incoming) if incoming.sent else answer)

    async def _answer(self, scope: dict, incoming: Call) -> Answer | None:
        """`None` when the connection is to be lost after the call took effect."""
        if wrong := regions.refusal(incoming):
            return wrong
        request = shapes.understand(incoming)
        if request is None:
            return await _emulate(scope, incoming)
        account = identity.account_of(incoming.access_key_id)
        fault = self._lab.faults.strike(request) or self._lab.throttle.strike(account, request.service)
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        pending = self._lab.recorder.begin(incoming, request) if self._lab.recording else None
        saw_before = self._lab.delivery.before(pending) if pending else []
        spreading = None if spelling.is_read(request) else self._lab.propagations.of(request.service)
        state_before = spreading.keep() if spreading else None
        started = time.perf_counter()
        refused = faults.answer(fault, request.service) if fault else None
        operation = f"{request.service}:{request.operation}"
        with self._lab.stats.running(operation):
            answer = refused or await _emulate(scope, incoming)
        answer.headers.setdefault("x-amzn-requestid", str(uuid.uuid4()))
        self._lab.stats.add(operation, time.perf_counter() - started)
        if spreading and answer.status < 300:
            spreading.changed(state_before)
        if pending:
            for recorded in self._lab.recorder.finish(pending, answer):
                self._lab.delivery.deliver(recorded, saw_before)
        return None if fault and fault.kind == "drop" else answer


async def _read(scope: dict, receive) -> Call:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Call(
        method=scope["method"],
        raw_path=scope["raw_path"].decode("latin-1").partition("?")[0],
        query_string=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=bytes(body),
        client_ip=(scope.get("client") or ("127.0.0.1",))[0],
    )


async def _emulate(scope: dict, incoming: Call) -> Answer:
    captured = _Captured()
    unread = [{"type": "http.request", "body": incoming.body, "more_body": False}]

    async def receive() -> dict:
        if unread:
            return unread.pop()
        return await asyncio.get_running_loop().create_future()  # the caller stays until it is answered

    await emulator.app(scope, receive, captured.send)
    return captured.answer()


async def _send(send, answer: Answer) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _drop(send) -> None:
    """Close the connection without an answer. ASGI has no such message, so the server's stream gets it directly."""
    stream = send.__self__
    await stream.send(StreamClosed(stream_id=stream.stream_id))
