"""Which request parameters each call has, in CloudTrail's spelling: what `keepwatch policy check` knows of them.

`PYTHONPATH=tests python .ci/schema/calls.py FOLDER` writes one file for each service, a call on each line: members by
name, `[x]` for a list of x, `{"*": x}` for a map, `null` for a value of any type. `observed.json` beside this file
holds what real records have and the models do not tell; `--records FILE...` prints what would be added to it. The
spelling is the lab's, which writes such records itself.
"""

import argparse
import json
import sys
from pathlib import Path

from lab.shapes import service_model
from lab.spelling import EVENT_NAMES, S3_HEADERS, ec2_set, field

SERVICES = (
    "backup",
    "cloudtrail",
    "dynamodb",
    "ec2",
    "events",
    "iam",
    "kms",
    "organizations",
    "rds",
    "s3",
    "sqs",
    "sts",
)
OBSERVED = Path(__file__).with_name("observed.json")
_DEPTH = 6


def calls(service: str) -> dict[str, dict]:
    """The parameters of every call of a service, by CloudTrail's name of the call."""
    model = service_model(service)
    names = EVENT_NAMES.get(service, {})
    found = {}
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        found[names.get(operation, operation)] = _parameters(service, operation, shape)
    observed = json.loads(OBSERVED.read_text()).get(f"{service}.amazonaws.com", {})
    for call, more in observed.items():
        found[call] = _merged(found.get(call, {}), more)
    return dict(sorted(found.items()))


def _parameters(service: str, operation: str, shape) -> dict:
    members = shape.members if shape is not None else {}
    if service == "s3":
        return _s3(operation, members)
    if service == "ec2":
        # Newer calls wrap everything under a name of their own, spelled as the API spells it.
        return _ec2(shape, 0) | {f"{operation}Request": None} if members else {}
    return {field(name, service): _any(inner, service, 1) for name, inner in members.items()}


def _any(shape, service: str, depth: int):
    if depth > _DEPTH or shape.type_name not in ("structure", "list", "map"):
        return None
    if shape.type_name == "list":
        return [_any(shape.member, service, depth)]
    if shape.type_name == "map":
        return {"*": _any(shape.value, service, depth + 1)}
    if shape.metadata.get("union") or not shape.members or _recurs(shape):
        return None
    return {field(name, service): _any(inner, service, depth + 1) for name, inner in shape.members.items()}


def _recurs(shape, above: tuple[str, ...] = ()) -> bool:
    """Whether a shape holds itself, such as an attribute's value in DynamoDB."""
    if shape.type_name == "list":
        return _recurs(shape.member, above)
    if shape.type_name == "map":
        return _recurs(shape.value, above)
    if shape.type_name != "structure":
        return False
    if shape.name in above:
        return True
    return any(_recurs(inner, (*above, shape.name)) for inner in shape.members.values())


def _ec2(shape, depth: int):
    spelled = {}
    for member, inner in shape.members.items():
        name = inner.serialization.get("name", member)
        name = name[0].lower() + name[1:]
        if inner.type_name == "list":
            item = _ec2(inner.member, depth + 1) if inner.member.type_name == "structure" and depth < _DEPTH else None
            # Records agree on no rule for lists: `snapshotSet`, `instancesSet`, `tags`.
            singular = name.removesuffix("s").removesuffix("Id")
            spellings = (ec2_set(name), f"{singular}sSet", member[0].lower() + member[1:])
            spelled |= dict.fromkeys(spellings, {"items": [item]})
        elif inner.type_name == "structure" and depth < _DEPTH and not _recurs(inner):
            spelled[name] = _ec2(inner, depth + 1)
        else:
            spelled[name] = None
    return spelled


def _s3(operation: str, members) -> dict:
    """Bucket, host, what stands in the query and in some headers, and the body under its own name."""
    spelled: dict = {"Host": None, "host": None, **dict.fromkeys(S3_HEADERS)}
    uri = service_model("s3").operation_model(operation).http["requestUri"]
    for part in uri.partition("?")[2].split("&"):
        if part:
            spelled[part.partition("=")[0]] = None
    for name, inner in members.items():
        where = inner.serialization.get("location")
        if where == "uri":
            spelled["bucketName" if name == "Bucket" else name.lower()] = None
        elif where in ("querystring", "header"):
            spelled[inner.serialization.get("name", name)] = None
        elif inner.type_name == "structure":
            body = inner.serialization.get("name", name)
            spelled[body] = {"xmlns": None} | _xml(inner, 0)
    if operation == "PutBucketPolicy":
        spelled["bucketPolicy"] = None
    return spelled


def _xml(shape, depth: int):
    """A body's members by their names in XML; lists as the agent makes them, always lists."""
    spelled = {}
    for member, inner in shape.members.items():
        name = inner.serialization.get("name", member)
        value = inner.member if inner.type_name == "list" else inner
        shown = _xml(value, depth + 1) if value.type_name == "structure" and depth < _DEPTH else None
        if inner.type_name != "list":
            spelled[name] = shown
        elif inner.serialization.get("flattened"):
            spelled[name] = [shown]
        else:
            spelled[name] = {inner.member.serialization.get("name", "member"): [shown]}
    return spelled


def _merged(known, more):
    """Both; what one does not know in detail stays open."""
    if known is None or more is None:
        return None
    if isinstance(known, dict) and isinstance(more, dict):
        names = {**known, **more}
        return {
            name: _merged(known[name], more[name]) if name in known and name in more else names[name] for name in names
        }
    if isinstance(known, list) and isinstance(more, list):
        return [_merged(known[0], more[0])]
    return None


def unknown(parameters, known):
    """The part of a record's parameters that a call is not known to have; `None` for nothing."""
    if known is None:
        return None
    if isinstance(known, list):
        items = parameters if isinstance(parameters, list) else [parameters]
        more = [found for item in items if (found := unknown(item, known[0])) is not None]
        return [more[0]] if more else None
    if not isinstance(parameters, dict):
        return None
    if "*" in known:
        return None
    more = {}
    for name, value in parameters.items():
        if name not in known:
            more[name] = None
        elif (found := unknown(value, known[name])) is not None:
            more[name] = found
    return more or None


def observe(files: list[Path]) -> dict:
    """What real records have and the calls here do not."""
    observed: dict = {}
    known = {f"{service}.amazonaws.com": calls(service) for service in SERVICES}
    for file in files:
        for line in file.read_text().splitlines():
            record = json.loads(line)
            source, name = record.get("eventSource"), record.get("eventName")
            parameters = record.get("requestParameters")
            if source not in known or not isinstance(parameters, dict) or parameters.get("omitted") is True:
                continue
            # A call that is not known stays open; half of its parameters would close it.
            more = unknown(parameters, known[source].get(name))
            if more:
                of_source = observed.setdefault(source, {})
                of_source[name] = _merged(of_source.get(name, {}), more)
    return observed


def _lines(found: dict) -> str:
    lines = [f"{json.dumps(name)}: {json.dumps(what, separators=(',', ':'))}" for name, what in found.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", nargs="?", type=Path)
    arguments.add_argument("--records", nargs="+", type=Path)
    chosen = arguments.parse_args()
    if chosen.records:
        json.dump(observe(chosen.records), sys.stdout, indent=1, sort_keys=True)
        return
    if chosen.folder is None:
        arguments.error("say the folder to write to, or `--records FILE...`")
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for service in SERVICES:
        (chosen.folder / f"{service}.json").write_text(_lines(calls(service)))


if __name__ == "__main__":
    main()
