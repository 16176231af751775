"""Credentials that EC2, Lambda and ECS fetch for a role by themselves: again and again, under one session name.

Nobody calls anything here, so a test says through the control API when a service fetches them.
"""

import uuid

from ministack.services import iam, sts

from . import clock, sessions
from .recorder import Recorded

_SERVICES = {
    "ec2": ("ec2.amazonaws.com", 6),
    "lambda": ("lambda.amazonaws.com", 12),
    "ecs": ("ecs-tasks.amazonaws.com", 6),
}


def fetch(service: str, role_arn: str, name: str, region: str) -> tuple[dict, Recorded]:
    """New credentials of the session `name`, and the record of it. Those of before stay good until they expire."""
    if service not in _SERVICES:
        raise ValueError(f"service must be one of {', '.join(_SERVICES)}")
    principal, hours = _SERVICES[service]
    if not sessions.trusts(role_arn, principal):
        raise ValueError(f"{role_arn} does not trust {principal}")
    key, now = iam._gen_session_access_key(), clock.clock.now()
    account, role = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
        "UserId": f"{sessions.role(role_arn)['RoleId']}:{name}",
        "SecretAccessKey": iam._gen_secret(),
        "SessionToken": iam._gen_session_token(),
        "Expiration": now + hours * 3600,
        "AccountId": account,
        "PrincipalType": "AssumedRole",
        "DeliveredBy": principal,
    }
    sts.register_session(key, session)
    given = {
        "access_key_id": key,
        "secret_access_key": session["SecretAccessKey"],
        "session_token": session["SessionToken"],
    }
    return given, Recorded(_record(principal, role_arn, name, region, given), now)


def _record(principal: str, role_arn: str, name: str, region: str, given: dict) -> dict:
    account, session = role_arn.split(":")[4], sts._sessions[given["access_key_id"]]
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "AWSService", "invokedBy": principal},
        "eventTime": clock.iso(session["IssuedAt"]),
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole",
        "awsRegion": region,
        "sourceIPAddress": principal,
        "userAgent": principal,
        "requestParameters": {"roleArn": role_arn, "roleSessionName": name},
        "responseElements": {
            "credentials": {
                "accessKeyId": given["access_key_id"],
                "sessionToken": given["session_token"],
                "expiration": clock.in_words(session["Expiration"]),
            },
            "assumedRoleUser": {"assumedRoleId": session["UserId"], "arn": session["Arn"]},
        },
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": True,
        "resources": [{"accountId": account, "type": "AWS::IAM::Role", "ARN": role_arn}],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "sharedEventID": str(uuid.uuid4()),
        "eventCategory": "Management",
    }
