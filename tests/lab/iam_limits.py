"""IAM's quotas, for a full user or role is one that a containment policy no longer fits into."""

import re

from ministack.services import iam

from . import call

_INLINE_CHARACTERS = {"User": 2048, "Role": 10_240, "Group": 5120}
_ATTACHED = {"User": 10, "Role": 20, "Group": 10}
_OPERATION = re.compile(r"^(Put|Attach)(User|Role|Group)Policy$")


def install() -> None:
    answer = iam.handle_request

    async def handle(method, path, headers, body, query):
        now = call.current()
        found = _OPERATION.match(now.form.get("Action", "")) if now else None
        refusal = _refusal(found.group(1), found.group(2), now.form) if found else None
        return refusal or await answer(method, path, headers, body, query)

    iam.handle_request = handle


def _refusal(verb: str, kind: str, form: dict[str, str]):
    name = form.get(f"{kind}Name", "")
    if verb == "Put":
        documents = {**_inline(kind, name), form.get("PolicyName", ""): form.get("PolicyDocument", "")}
        limit = _INLINE_CHARACTERS[kind]
        if sum(_size(document) for document in documents.values()) > limit:
            return _too_many(f"Maximum policy size of {limit} bytes exceeded for {kind.lower()} {name}")
        return None
    attached = set(_entity(kind, name).get("AttachedPolicies") or ()) | {form.get("PolicyArn")}
    if len(attached) > _ATTACHED[kind]:
        return _too_many(f"Cannot exceed quota for PoliciesPer{kind}: {_ATTACHED[kind]}")
    return None


def _too_many(message: str):
    return iam._error(409, "LimitExceeded", message, ns="iam")


def _entity(kind: str, name: str) -> dict:
    stores = {"User": iam._users, "Role": iam._roles, "Group": iam._groups}
    return stores[kind].get(name) or {}


def _inline(kind: str, name: str) -> dict[str, str]:
    if kind == "Role":
        return _entity(kind, name).get("InlinePolicies") or {}
    store = iam._user_inline_policies if kind == "User" else iam._group_inline_policies
    return store.get(name) or {}


def _size(document) -> int:
    """White space is free."""
    return len(re.sub(r"\s", "", document if isinstance(document, str) else str(document)))
