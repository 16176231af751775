"""The organisation: one, with the lab's accounts, whoever asks.

The emulator gives every account an organisation of its own. Here all calls are answered from the management
account's; only it and the security account, its delegated administrator, may list accounts or touch policies.
"""

import json
import time

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import organizations

from . import accounts

_ADMINISTRATORS = (accounts.MANAGEMENT, accounts.SECURITY)
_OPEN_TO_MEMBERS = frozenset({"DescribeOrganization"})


def install() -> None:
    _found()
    answer = organizations.handle_request

    async def handle(method, path, headers, body, query):
        operation = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        if get_account_id() not in _ADMINISTRATORS and operation not in _OPEN_TO_MEMBERS:
            message = "You don't have permissions to access this resource."
            return organizations._json(400, {"__type": "AccessDeniedException", "Message": message})
        with request_scope(accounts.MANAGEMENT, get_region()):
            answered = await answer(method, path, headers, body, query)
            if operation == "CreateOrganizationalUnit" and answered[0] == 200:
                _allow_all(json.loads(answered[2])["OrganizationalUnit"]["Id"])
            return answered

    organizations.handle_request = handle


def _found() -> None:
    """Create the organisation with its members. The management account itself is not listed."""
    with request_scope(accounts.MANAGEMENT, accounts.GLOBAL_REGION):
        organizations._ensure_org()
        organization = organizations._orgs["self"]
        root = next(iter(organizations._roots.values()))["Id"]
        organization["Id"] = accounts.ORGANIZATION_ID
        organization["Arn"] = f"arn:aws:organizations::{accounts.MANAGEMENT}:organization/{accounts.ORGANIZATION_ID}"
        organization["MasterAccountArn"] = _account_arn(accounts.MANAGEMENT)
        organizations._accounts.clear()
        for account, name in accounts.MEMBERS.items():
            organizations._accounts[account] = _member(account, name, root)
        organizations._attachments[organizations.FULL_ACCESS_POLICY_ID] = [root, *accounts.MEMBERS]


def _allow_all(target: str) -> None:
    """What AWS attaches to every unit that is made; without any policy it would forbid everything below it."""
    everything = organizations.FULL_ACCESS_POLICY_ID
    organizations._attachments[everything] = [*organizations._attachments[everything], target]


def _account_arn(account: str) -> str:
    return f"arn:aws:organizations::{accounts.MANAGEMENT}:account/{accounts.ORGANIZATION_ID}/{account}"


def _member(account: str, name: str, root: str) -> dict:
    return {
        "Id": account,
        "Arn": _account_arn(account),
        "Email": f"{name}@securecart.example",
        "Name": name,
        "Status": "ACTIVE",
        "State": "ACTIVE",
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": int(time.time()),
        "Path": f"{accounts.ORGANIZATION_ID}/{root}/{account}/",
        "_ParentId": root,
    }
