"""EventBridge's way of an event: bus, rules, targets, and from one account's or Region's bus to another's.

Rules, targets and patterns are the emulator's, as they were deployed. Ours is what it lacks: buses of other accounts
and Regions, the policies that guard them, read-only CloudTrail events, and dead-letter queues of targets.
"""

import json
import logging
import uuid
from dataclasses import dataclass, field

from ministack.core import iam_evaluator
from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import get_account_id, request_scope
from ministack.services import eventbridge, sqs

log = logging.getLogger("lab.bus")

_ALL_MANAGEMENT_EVENTS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
_SERVICE = "events.amazonaws.com"


@dataclass
class Event:
    """An event that AWS itself puts on an account's default bus."""

    account: str
    region: str
    source: str
    detail_type: str
    detail: dict
    time: float
    resources: list[str] = field(default_factory=list)
    read_only: bool = False


def install() -> None:
    """Let the emulator's own PutEvents take the same way."""
    eventbridge._dispatch_event = _dispatch


def publish(event: Event) -> None:
    record = {
        "EventId": str(uuid.uuid4()),
        "Source": event.source,
        "DetailType": event.detail_type,
        "Detail": json.dumps(event.detail),
        "EventBusName": "default",
        "Time": int(event.time),
        "Resources": event.resources,
        "Account": event.account,
        "Region": event.region,
        "_ReadOnly": event.read_only,
    }
    with request_scope(event.account, event.region):
        _dispatch(record)


def _dispatch(event: dict, view=None) -> None:
    """Hand `event` to every target of every rule on its bus that matches. The scope is the bus's account and Region."""
    view = view or eventbridge._pattern_event_view(event)
    for key, rule in list(eventbridge._rules.items()):
        if rule.get("EventBusName", "default") != event["EventBusName"] or not _takes(rule, event):
            continue
        if eventbridge._matches_pattern_view(rule["EventPattern"], view, f"rule {key}"):
            for target in list(eventbridge._targets.get(key, [])):
                _invoke(target, event, rule, view)


def _takes(rule: dict, event: dict) -> bool:
    if not rule.get("EventPattern"):
        return False
    if event.get("_ReadOnly"):
        return rule.get("State") == _ALL_MANAGEMENT_EVENTS
    return rule.get("State") in ("ENABLED", _ALL_MANAGEMENT_EVENTS)


def _invoke(target: dict, event: dict, rule: dict, view) -> None:
    try:
        arn = parse_arn(target.get("Arn", ""))
    except ArnParseError:
        log.warning("target of rule %s is no ARN: %r", rule["Name"], target.get("Arn"))
        return
    if arn.service == "events" and arn.resource.startswith("event-bus/"):
        _forward(arn, target, event, rule)
    elif arn.service == "sqs":
        _send(arn, target, event, rule, view)
    else:
        eventbridge._invoke_target(target, event, rule, view)


def _send(arn, target: dict, event: dict, rule: dict, view) -> None:
    """Into a queue whose policy lets this rule in; else into the target's dead-letter queue."""
    for queue_arn in (str(arn), (target.get("DeadLetterConfig") or {}).get("Arn")):
        if queue_arn and sqs.queue_policy_allows(queue_arn, _SERVICE, rule["Arn"], get_account_id()):
            eventbridge._invoke_target({**target, "Arn": queue_arn}, event, rule, view)
            return
    log.warning("rule %s could not deliver to %s", rule["Name"], arn)


def _forward(arn, target: dict, event: dict, rule: dict) -> None:
    bus_name = arn.resource.split("/", 1)[1]
    crossing = arn.account_id != get_account_id()
    if crossing and event.get("_Crossed"):
        log.warning("rule %s: an event that crossed accounts once is not forwarded again", rule["Name"])
        return
    if not _may_forward(str(arn), target.get("RoleArn", ""), crossing, bus_name, arn):
        log.warning("rule %s may not put events on %s", rule["Name"], arn)
        return
    if rule["Arn"] in event.get("_Path", ()):
        return  # a loop of rules
    forwarded = {
        **event,
        "EventBusName": bus_name,
        "_Crossed": crossing or event.get("_Crossed", False),
        "_Path": (*event.get("_Path", ()), rule["Arn"]),
    }
    with request_scope(arn.account_id, arn.region):
        if bus_name == "default" or bus_name in eventbridge._event_buses:
            _dispatch(forwarded)
        else:
            log.warning("rule %s: event bus %s does not exist", rule["Name"], arn)


def _may_forward(bus_arn: str, role_arn: str, crossing: bool, bus_name: str, arn) -> bool:
    if role_arn and not _role_may_put(role_arn, bus_arn, arn.region):
        return False
    if not crossing:
        return True
    context = iam_evaluator.EvalContext(
        principal_arn=role_arn or f"arn:aws:iam::{get_account_id()}:root",
        principal_type="AssumedRole" if role_arn else "Root",
        principal_account=get_account_id(),
        action="events:PutEvents",
        resource_arn=bus_arn,
        region=arn.region,
    )
    policy = eventbridge._event_bus_policies.get_scoped(arn.account_id, arn.region, bus_name)
    return iam_evaluator.evaluate_resource_policy(policy, context).decision == "Allow"


def _role_may_put(role_arn: str, bus_arn: str, region: str) -> bool:
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    policies = iam_evaluator._gather_role_policies(name, account)
    context = iam_evaluator.EvalContext(
        principal_arn=role_arn,
        principal_type="AssumedRole",
        principal_account=account,
        action="events:PutEvents",
        resource_arn=bus_arn,
        region=region,
    )
    return iam_evaluator.evaluate(context, policies).decision == "Allow"
