"""The partition that the lab plays: `aws`, `aws-cn` or `aws-us-gov`.

Inside everything is named as in `aws`, for the emulator knows no other names. What comes in and what goes out is
renamed, both ways at once: an ARN of `aws` that comes into another partition is a stranger's and names nothing there.
"""

import dataclasses
import re
import zlib
from urllib.parse import parse_qs

from ministack import app as emulator

from . import accounts, call, shapes
from .call import Answer, Call

_INSIDE = "aws"
_ARN = re.compile(rb"arn(:|%3A|%3a)(aws|" + accounts.PARTITION.encode() + rb")\1")


def renamed(data: bytes) -> bytes:
    """`data` with the names of the partition's ARNs and those inside exchanged."""
    if accounts.PARTITION == _INSIDE:
        return data
    return _ARN.sub(_exchanged, data)


def _exchanged(found: re.Match) -> bytes:
    other = accounts.PARTITION if found[2] == _INSIDE.encode() else _INSIDE
    return b"arn" + found[1] + other.encode() + found[1]


def text(given: str) -> str:
    return renamed(given.encode()).decode()


def inward(sent: Call) -> Call:
    """The call as the lab understands it, with the call as it was sent, for its signature."""
    if accounts.PARTITION == _INSIDE:
        return sent
    return dataclasses.replace(
        sent,
        raw_path=text(sent.raw_path),
        query_string=text(sent.query_string),
        headers={name: text(value) for name, value in sent.headers.items()},
        body=renamed(sent.body) if _is_text(sent) else sent.body,
        sent=sent,
    )


def outward(answer: Answer, asked: Call) -> Answer:
    if accounts.PARTITION == _INSIDE or not _is_text(asked):
        return answer
    body = renamed(answer.body)
    headers = {name: text(value) for name, value in answer.headers.items()}
    if "content-length" in headers:
        headers["content-length"] = str(len(body))
    if "x-amz-crc32" in headers:
        headers["x-amz-crc32"] = str(zlib.crc32(body))
    return Answer(answer.status, headers, body)


def _is_text(asked: Call) -> bool:
    """Whether bodies are messages: an object's bytes are its owner's, and CBOR counts its letters."""
    request = shapes.understand(asked)
    is_object = request is not None and request.service == "s3" and "Key" in request.parameters
    return not is_object and "cbor" not in asked.headers.get("content-type", "")


def scope_of(scope: dict, incoming: Call) -> dict:
    """The ASGI scope for the emulator."""
    if incoming.sent is None:
        return scope
    headers = [(name, text(value.decode("latin-1")).encode("latin-1")) for name, value in scope["headers"]]
    return {
        **scope,
        "path": text(scope["path"]),
        "raw_path": renamed(scope["raw_path"]),
        "query_string": renamed(scope["query_string"]),
        "headers": headers,
    }


def install() -> None:
    """Let signatures be checked against what was sent."""
    pin_request, pin_body = emulator.pin_signed_request, emulator.pin_signed_body

    def pin_signed_request(method, raw_path, query, headers):
        sent = call.current().sent if call.current() else None
        if sent is None:
            pin_request(method, raw_path, query, headers)
            return
        as_sent = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.headers.items()]
        pin_request(method, sent.raw_path, parse_qs(sent.query_string, keep_blank_values=True), as_sent)

    def pin_signed_body(body):
        sent = call.current().sent if call.current() else None
        pin_body(body if sent is None else sent.body)

    emulator.pin_signed_request, emulator.pin_signed_body = pin_signed_request, pin_signed_body
