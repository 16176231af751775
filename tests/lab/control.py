"""The control API under `/_lab/`: what tests turn and read. Loopback only, so it asks for no credentials."""

import asyncio
import json

from . import accounts, partition, service_sessions
from .call import Answer, Call
from .faults import Fault

SLACK_PREFIX = "/_lab/slack/api/"


async def answer(lab, call: Call) -> Answer:
    if call.raw_path.startswith(SLACK_PREFIX):
        method = call.raw_path.removeprefix(SLACK_PREFIX)
        return lab.slack.answer(method, call.headers, call.body, call.query_string)
    deed = _ROUTES.get((call.method, call.raw_path.rstrip("/")))
    if deed is None:
        return _json(404, {"error": f"no such control: {call.method} {call.raw_path}"})
    try:
        return _json(200, await deed(lab, call))
    except (KeyError, TypeError, ValueError) as wrong:
        return _json(400, {"error": f"{type(wrong).__name__}: {wrong}"})


def _json(status: int, document) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(document).encode())


async def _clock(lab, call: Call) -> dict:
    return {"now": lab.clock.now()}


async def _advance(lab, call: Call) -> dict:
    lab.clock.advance(float(call.json["advance_seconds"]))
    return {"now": lab.clock.now()}


async def _change_settings(lab, call: Call) -> dict:
    setters = {
        "iam_propagation_seconds": lab.propagations.iam.set,
        "scp_propagation_seconds": lab.propagations.organizations.set,
        "iam_calls_per_second": lab.throttle.set,
        "delivery_delay_seconds": lambda value: setattr(lab.delivery, "delay_seconds", value),
        "lookup_delay_seconds": lambda value: setattr(lab.delivery.history, "delay_seconds", value),
        "job_seconds": lambda value: setattr(lab.pace, "backup_seconds", value),
        "copy_seconds": lambda value: setattr(lab.pace, "copy_seconds", value),
    }
    unknown = call.json.keys() - setters.keys()
    if unknown:
        raise ValueError(f"unknown setting {', '.join(sorted(unknown))}; known: {', '.join(setters)}")
    for name, value in call.json.items():
        setters[name](float(value))
    return await _settings(lab, call)


async def _settings(lab, call: Call) -> dict:
    return {
        "iam_propagation_seconds": lab.propagations.iam.seconds,
        "scp_propagation_seconds": lab.propagations.organizations.seconds,
        "iam_calls_per_second": lab.throttle.calls_per_second,
        "delivery_delay_seconds": lab.delivery.delay_seconds,
        "lookup_delay_seconds": lab.delivery.history.delay_seconds,
        "job_seconds": lab.pace.backup_seconds,
        "copy_seconds": lab.pace.copy_seconds,
    }


async def _add_fault(lab, call: Call) -> dict:
    lab.faults.add(Fault(**call.json))
    return {}


async def _clear_faults(lab, call: Call) -> dict:
    lab.faults.clear()
    return {}


async def _records(lab, call: Call) -> list:
    since = int(call.query.get("since", ["0"])[0])
    kept = [{"seq": one.seq, "delivered": one.delivered, "record": one.record} for one in lab.delivery.kept[since:]]
    return json.loads(partition.text(json.dumps(kept)))


async def _stats(lab, call: Call) -> dict:
    return lab.stats.shown()


async def _fetch_session(lab, call: Call) -> dict:
    wanted = json.loads(partition.text(json.dumps(call.json)))
    given, recorded = service_sessions.fetch(**{"region": accounts.HOME_REGION, **wanted})
    lab.delivery.deliver(recorded, [])
    return given


async def _flush(lab, call: Call) -> dict:
    return {"files": await lab.delivery.files.flush()}


async def _slack_messages(lab, call: Call) -> list:
    lab.slack.post_what_is_due()
    return [message.shown() for message in lab.slack.messages]


async def _slack_fault(lab, call: Call) -> dict:
    given = call.json
    lab.slack.trouble(int(given["status"]), int(given.get("retry_after", 1)), int(given.get("times", 1)))
    return {}


async def _slack_ephemerals(lab, call: Call) -> list:
    return lab.slack.ephemerals


async def _slack_press(lab, call: Call) -> dict:
    return await asyncio.to_thread(lab.slack.presses.press, lab.slack.messages, call.json)


async def _slack_again(lab, call: Call) -> dict:
    return await asyncio.to_thread(lab.slack.presses.again, call.json)


_ROUTES = {
    ("GET", "/_lab/clock"): _clock,
    ("POST", "/_lab/clock"): _advance,
    ("GET", "/_lab/settings"): _settings,
    ("POST", "/_lab/settings"): _change_settings,
    ("POST", "/_lab/faults"): _add_fault,
    ("DELETE", "/_lab/faults"): _clear_faults,
    ("GET", "/_lab/records"): _records,
    ("GET", "/_lab/stats"): _stats,
    ("POST", "/_lab/sessions"): _fetch_session,
    ("POST", "/_lab/flush"): _flush,
    ("GET", "/_lab/slack/messages"): _slack_messages,
    ("POST", "/_lab/slack/faults"): _slack_fault,
    ("GET", "/_lab/slack/ephemerals"): _slack_ephemerals,
    ("POST", "/_lab/slack/press"): _slack_press,
    ("POST", "/_lab/slack/again"): _slack_again,
}
