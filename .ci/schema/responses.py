"""What AWS answers to the calls that the agent reads resources with, from its service models.

`PYTHONPATH=tests python .ci/schema/responses.py FILE` writes for each service, a call on each line, how the request is
known (its path, or the header that names its target) and what the members of the answer are: `[x]` is a list of x,
`{"*": x}` a map, `MFADelete as MfaDelete` a member with another name in XML, and `[x, "Tag"]` a list of elements of that
name. The rules' examples hold such answers; `aws::responses` reads them as the agent reads AWS's own.
"""

import argparse
import json
from pathlib import Path

from lab.shapes import service_model

CALLS = {
    "backup": ("DescribeBackupVault", "GetBackupVaultAccessPolicy", "ListRecoveryPointsByBackupVault", "ListTags"),
    "cloudtrail": ("DescribeTrails", "GetEventSelectors", "GetTrailStatus", "ListTags"),
    "dynamodb": ("DescribeContinuousBackups", "DescribeTable", "ListTagsOfResource"),
    "kms": ("DescribeKey", "ListResourceTags"),
    "s3": ("GetBucketLifecycleConfiguration", "GetBucketTagging", "GetBucketVersioning"),
}
# Where an answer says that there is more of it: whoever writes one down writes all of it.
_PAGING = {"NextToken", "NextMarker", "Truncated"}
_TYPES = {
    "boolean": "boolean",
    "integer": "number",
    "long": "number",
    "double": "number",
    "float": "number",
    "string": "string",
    "timestamp": "timestamp",
}


def responses(service: str) -> dict[str, dict]:
    """How each call is known, and what it answers."""
    model = service_model(service)
    found = {}
    for name in CALLS[service]:
        operation = model.operation_model(name)
        found[name] = {"asked": _asked(model, operation), "answer": _shape(operation.output_shape)}
        if model.metadata["protocol"] == "rest-xml":
            found[name]["root"] = _root(model, name)
    return found


def _asked(model, operation) -> str:
    target = model.metadata.get("targetPrefix")
    # The header leaves out the namespace that the model has before the target.
    return f"{target.rpartition('.')[2]}.{operation.name}" if target else operation.http["requestUri"]


def _root(model, name: str) -> str:
    """The element around an answer: the model knows its name only from the call that puts the same."""
    put = model.operation_model(name.replace("Get", "Put", 1)).input_shape
    body = put.members[put.serialization["payload"]]
    return body.serialization.get("name", put.serialization["payload"])


def _shape(shape):
    if shape.type_name == "list":
        item = [_shape(shape.member)]
        return item if shape.serialization.get("flattened") else [*item, *_element(shape)]
    if shape.type_name == "map":
        return {"*": _shape(shape.value)}
    if shape.type_name == "structure":
        members = ((name, inner) for name, inner in shape.members.items() if name not in _PAGING)
        return {_spelled(name, inner): _member(inner) for name, inner in members}
    return "document" if shape.name == "IAMPolicy" else _TYPES[shape.type_name]


def _element(shape) -> list[str]:
    name = shape.member.serialization.get("name")
    return [name] if name else []


def _member(shape):
    return "header" if shape.serialization.get("location") == "header" else _shape(shape)


def _spelled(name: str, shape) -> str:
    other = shape.serialization.get("name", name)
    return name if other == name or shape.serialization.get("location") else f"{name} as {other}"


def _lines(found: dict[str, dict]) -> str:
    services = []
    for service, calls in found.items():
        lines = [f"{json.dumps(name)}: {json.dumps(what, separators=(',', ':'))}" for name, what in calls.items()]
        services.append(f"{json.dumps(service)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(services) + "\n}\n"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.parse_args().file.write_text(_lines({service: responses(service) for service in CALLS}))


if __name__ == "__main__":
    main()
