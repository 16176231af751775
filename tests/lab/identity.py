"""Who made a call, in CloudTrail's words. It reads the emulator's credentials and changes none."""

from ministack.core import iam_evaluator
from ministack.services import iam, sts

from . import clock

_ACCOUNT_DIGITS = 12


def account_of(access_key_id: str) -> str | None:
    """The account that a key belongs to; `None` for a key nobody issued."""
    if access_key_id.isdigit() and len(access_key_id) == _ACCOUNT_DIGITS:
        return access_key_id
    session = sts._sessions.get(access_key_id)
    if session is not None:
        return session["AccountId"] if session.get("AccountId") else session["Arn"].split(":")[4]
    try:
        return iam_evaluator.find_iam_access_key_account(access_key_id)
    except iam_evaluator.AmbiguousAccessKeyError:
        return None


def user_identity(access_key_id: str) -> dict | None:
    """The `userIdentity` of whoever holds this key; `None` for a key nobody issued."""
    account = account_of(access_key_id)
    if account is None:
        return None
    session = sts._sessions.get(access_key_id)
    if session is not None:
        return _session_identity(access_key_id, account, session)
    if access_key_id == account:
        return _root_identity(access_key_id, account)
    return _user_identity(access_key_id, account)


def _root_identity(access_key_id: str, account: str) -> dict:
    return {
        "type": "Root",
        "principalId": account,
        "arn": f"arn:aws:iam::{account}:root",
        "accountId": account,
        "accessKeyId": access_key_id,
    }


def _user_identity(access_key_id: str, account: str) -> dict:
    key = iam._access_keys.get_scoped(account, None, access_key_id) or {}
    name = key.get("UserName", "")
    user = iam._users.get_scoped(account, None, name) or {}
    return {
        "type": "IAMUser",
        "principalId": user.get("UserId", ""),
        "arn": user.get("Arn") or f"arn:aws:iam::{account}:user/{name}",
        "accountId": account,
        "accessKeyId": access_key_id,
        "userName": name,
    }


def _session_identity(access_key_id: str, account: str, session: dict) -> dict:
    arn = session["Arn"]
    identity = {
        "type": {"User": "IAMUser"}.get(
            session.get("PrincipalType", ""), session.get("PrincipalType") or "AssumedRole"
        ),
        "principalId": session.get("UserId", ""),
        "arn": arn,
        "accountId": account,
        "accessKeyId": access_key_id,
    }
    if identity["type"] == "IAMUser":
        identity["userName"] = arn.rsplit("/", 1)[-1]
    identity["sessionContext"] = _session_context(account, session)
    return identity


def _session_context(account: str, session: dict) -> dict:
    context: dict = {}
    if ":assumed-role/" in session["Arn"]:
        name = session["Arn"].split(":assumed-role/", 1)[1].split("/", 1)[0]
        role = iam._roles.get_scoped(account, None, name) or {}
        context["sessionIssuer"] = {
            "type": "Role",
            "principalId": session.get("UserId", "").split(":", 1)[0],
            "arn": role.get("Arn") or f"arn:aws:iam::{account}:role/{name}",
            "accountId": account,
            "userName": name,
        }
    elif ":federated-user/" in session["Arn"]:
        context["sessionIssuer"] = _issuer_of_federation(account, session["SourcePrincipalArn"])
    else:
        context["sessionIssuer"] = {}
    context["webIdFederationData"] = {}
    context["attributes"] = {"creationDate": clock.iso(session.get("IssuedAt", 0)), "mfaAuthenticated": "false"}
    if session.get("DeliveredBy") == "ec2.amazonaws.com":
        context["ec2RoleDelivery"] = "2.0"
    if session.get("SourceIdentity"):
        context["sourceIdentity"] = session["SourceIdentity"]
    return context


def _issuer_of_federation(account: str, arn: str) -> dict:
    """The user, or root, whose long-term key asked for a federated session."""
    if arn.endswith(":root"):
        return {"type": "Root", "principalId": account, "arn": arn, "accountId": account}
    name = arn.rsplit("/", 1)[-1]
    user = iam._users.get_scoped(account, None, name) or {}
    found = {"type": "IAMUser", "principalId": user.get("UserId", ""), "arn": arn, "accountId": account}
    return {**found, "userName": name}
