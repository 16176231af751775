"""Reads and writes answers in a service's own wire protocol: errors above all. It knows no service's meaning."""

import functools
import json
from xml.sax.saxutils import escape

from botocore import parsers

from .call import Answer
from .shapes import Request, service_model

_JSON_VERSION = "application/x-amz-json-1.1"


@functools.cache
def _parser(protocol: str):
    return parsers.create_parser(protocol)


def protocol_of(service: str) -> str:
    model = service_model(service)
    return model.metadata.get("protocol", "json") if model else "json"


def parse(request: Request, answer: Answer) -> dict:
    """The answer as an SDK would see it; an unreadable one is empty."""
    response = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    try:
        parsed = _parser(protocol_of(request.service)).parse(response, request.model.output_shape)
    except (parsers.ResponseParserError, ValueError, KeyError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def error(service: str, code: str, message: str, status: int) -> Answer:
    """An error as this service words it."""
    protocol = protocol_of(service)
    headers = {"content-type": "text/xml"}
    if protocol == "ec2":
        said = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        body = f"<Response><Errors><Error>{said}</Error></Errors></Response>"
    elif protocol == "query":
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
            "</ErrorResponse>"
        )
    elif protocol == "rest-xml":
        body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    else:
        headers = {"content-type": _JSON_VERSION, "x-amzn-errortype": code}
        body = json.dumps({"__type": code, "message": message, "Message": message})
    return Answer(status, headers, body.encode())
