"""Which operation a call is and with what parameters, by botocore's service models.

It reads what went over the wire; how CloudTrail spells it is `spelling`'s job. Models load on first use.
"""

import functools
import re
from dataclasses import dataclass
from urllib.parse import unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from .call import Call

# Signing names whose model botocore keeps under another name.
_MODELS = {
    "monitoring": "cloudwatch",
    "elasticfilesystem": "efs",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
    "elasticloadbalancing": "elbv2",
    "email": "ses",
    "ses": "sesv2",
    "es": "opensearch",
    "elasticmapreduce": "emr",
    "access-analyzer": "accessanalyzer",
}
_LOADER = Loader()


@dataclass
class Request:
    """A call understood: its model, its operation, its parameters by the members' own names."""

    service: str
    model: OperationModel
    parameters: dict

    @property
    def operation(self) -> str:
        return self.model.name


@dataclass(frozen=True)
class _Route:
    pattern: re.Pattern
    labels: tuple[str, ...]
    query: dict[str, str]
    literals: int
    operation: str


@functools.cache
def service_model(service: str) -> ServiceModel | None:
    name = _MODELS.get(service, service)
    if name not in _available():
        return None
    return ServiceModel(_LOADER.load_service_model(name, "service-2"), service_name=name)


@functools.cache
def _available() -> frozenset[str]:
    return frozenset(_LOADER.list_available_services("service-2"))


def understand(call: Call) -> Request | None:
    """The operation and parameters of `call`; `None` when no model knows it. Worked out once per call."""
    if "_understood" not in call.__dict__:
        call.__dict__["_understood"] = _understand(call)
    return call.__dict__["_understood"]


def _understand(call: Call) -> Request | None:
    service = "s3control" if call.raw_path.startswith("/v20180820/") else call.signing_name
    model = service_model(service) if service else None
    if model is None:
        return None
    protocol = model.metadata.get("protocol", "")
    if protocol.startswith("rest-"):
        return _understand_rest(call, service, model)
    name, source = _rpc_operation(call)
    if name not in model.operation_names:
        return None
    operation = model.operation_model(name)
    parameters = dict(call.json) if source == "json" else _query_parameters(call.form, operation, protocol == "ec2")
    return Request(service, operation, parameters)


def _rpc_operation(call: Call) -> tuple[str, str]:
    target = call.headers.get("x-amz-target", "")
    if target:
        return target.rsplit(".", 1)[-1], "json"
    if "/operation/" in call.raw_path:  # CBOR: the name is in the path, the body is not worth decoding for a record
        return call.raw_path.rsplit("/", 1)[-1], "cbor"
    return call.form.get("Action", ""), "query"


def _understand_rest(call: Call, service: str, model: ServiceModel) -> Request | None:
    path = _path(call, service).rstrip("/") or "/"
    for route in _routes(service).get(call.method, ()):
        found = route.pattern.match(path)
        if found and _query_fits(route.query, call):
            operation = model.operation_model(route.operation)
            labels = {label: unquote(value) for label, value in zip(route.labels, found.groups(), strict=True)}
            return Request(service, operation, _rest_parameters(call, operation, labels))
    return None


def _path(call: Call, service: str) -> str:
    """The path, with the bucket in it also where the client named the bucket in the host."""
    from ministack import app as emulator

    bucket = emulator._extract_s3_vhost_bucket(call.headers.get("host", "")) if service == "s3" else None
    return f"/{bucket}{call.raw_path}" if bucket else call.raw_path


def _query_fits(wanted: dict[str, str], call: Call) -> bool:
    return all(key in call.query and (not value or call.query[key][0] == value) for key, value in wanted.items())


@functools.cache
def _routes(service: str) -> dict[str, tuple[_Route, ...]]:
    """Routes by method, the most particular first."""
    model = service_model(service)
    routes: dict[str, list[_Route]] = {}
    for name in model.operation_names:
        http = model.operation_model(name).http
        routes.setdefault(http["method"], []).append(_route(name, http["requestUri"]))
    return {method: tuple(sorted(found, key=_particularity, reverse=True)) for method, found in routes.items()}


def _particularity(route: _Route) -> tuple[int, int]:
    return len(route.query), route.literals


def _route(operation: str, uri: str) -> _Route:
    path, _, query = uri.partition("?")
    labels: list[str] = []
    pieces: list[str] = []
    literals = 0
    for piece in re.split(r"(\{[^}]+\})", path.rstrip("/") or "/"):
        if piece.startswith("{"):
            labels.append(piece.strip("{}+"))
            pieces.append("(.+)" if piece.endswith("+}") else "([^/]+)")
        else:
            literals += len(piece)
            pieces.append(re.escape(piece))
    required = dict(part.partition("=")[::2] for part in query.split("&") if part)
    return _Route(re.compile("".join(pieces) + "/?$"), tuple(labels), required, literals, operation)


def _rest_parameters(call: Call, operation: OperationModel, labels: dict[str, str]) -> dict:
    shape = operation.input_shape
    if shape is None:
        return {}
    parameters = {}
    for member, inner in shape.members.items():
        where = inner.serialization.get("location")
        name = inner.serialization.get("name", member)
        if where == "uri" and name in labels:
            parameters[member] = labels[name]
        elif where == "querystring" and name in call.query:
            values = call.query[name]
            parameters[member] = values if inner.type_name == "list" else _scalar(values[0], inner.type_name)
        elif where == "header" and name.lower() in call.headers:
            parameters[member] = call.headers[name.lower()]
        elif where is None and name in call.json:
            parameters[member] = call.json[name]
    return parameters


def _scalar(text: str, type_name: str):
    if type_name in ("integer", "long"):
        return int(text) if text.lstrip("-").isdigit() else text
    if type_name == "boolean":
        return text == "true"
    return text


def _query_parameters(form: dict[str, str], operation: OperationModel, ec2: bool) -> dict:
    if operation.input_shape is None:
        return {}
    return _query_structure(form, "", operation.input_shape, ec2) or {}


def _query_value(form: dict[str, str], prefix: str, shape, ec2: bool):
    if shape.type_name == "structure":
        return _query_structure(form, prefix + ".", shape, ec2)
    if shape.type_name == "list":
        return _query_list(form, prefix, shape, ec2)
    if shape.type_name == "map":
        return _query_map(form, prefix, shape)
    return _scalar(form[prefix], shape.type_name) if prefix in form else None


def _query_structure(form: dict[str, str], prefix: str, shape, ec2: bool) -> dict | None:
    found = {}
    for member, inner in shape.members.items():
        value = _query_value(form, prefix + _query_name(member, inner, ec2), inner, ec2)
        if value is not None:
            found[member] = value
    return found or None


def _query_name(member: str, shape, ec2: bool) -> str:
    if ec2:
        name = shape.serialization.get("queryName") or shape.serialization.get("name", member)
        return name[0].upper() + name[1:]
    return shape.serialization.get("name", member)


def _query_list(form: dict[str, str], prefix: str, shape, ec2: bool) -> list | None:
    if ec2 or shape.serialization.get("flattened"):
        base = prefix
    else:
        base = f"{prefix}.{shape.member.serialization.get('name', 'member')}"
        if not any(key.startswith(base + ".") for key in form):
            base = f"{prefix}.member"
    values = []
    while (value := _query_value(form, f"{base}.{len(values) + 1}", shape.member, ec2)) is not None:
        values.append(value)
    return values or None


def _query_map(form: dict[str, str], prefix: str, shape) -> dict | None:
    base = prefix if shape.serialization.get("flattened") else f"{prefix}.entry"
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    found = {}
    while (key := form.get(f"{base}.{len(found) + 1}.{key_name}")) is not None:
        found[key] = form.get(f"{base}.{len(found) + 1}.{value_name}", "")
    return found or None
