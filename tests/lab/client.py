"""A real boto3 caller for tests in other languages: one JSON line in, one JSON line out.

It never retries by itself, so that a refusal is seen as it was made.
"""

import base64
import json
import sys
from datetime import datetime

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

_CONFIG = Config(
    retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=60, parameter_validation=True
)
_clients: dict[tuple, object] = {}
_session = boto3.session.Session(aws_access_key_id="unused", aws_secret_access_key="unused", region_name="us-east-1")


def _client(wanted: dict):
    credentials = wanted["credentials"]
    key = (
        wanted["endpoint"],
        wanted["service"],
        wanted.get("region", "eu-west-1"),
        credentials["access_key_id"],
        credentials["secret_access_key"],
        credentials.get("session_token"),
    )
    if key not in _clients:
        endpoint, service, region, access_key, secret, token = key
        _clients[key] = _session.client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            config=_CONFIG,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )
    return _clients[key]


def _plain(value):
    """What JSON cannot say: dates as ISO 8601, bytes and streams as text."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    return value


def call(wanted: dict) -> dict:
    """The answer, or the error, of one call."""
    try:
        response = getattr(_client(wanted), wanted["operation"])(**wanted.get("params", {}))
    except ClientError as refused:
        error = refused.response.get("Error", {})
        status = refused.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return {"error": {"code": error.get("Code", ""), "message": error.get("Message", ""), "status": status}}
    except (BotoCoreError, ParamValidationError, AttributeError, KeyError, TypeError, ValueError) as failed:
        return {"error": {"code": type(failed).__name__, "message": str(failed), "status": 0}}
    response.pop("ResponseMetadata", None)
    return {"ok": _plain(response)}


def main() -> None:
    for line in sys.stdin:
        if not line.strip():
            continue
        wanted = json.loads(line)
        print(json.dumps({"id": wanted.get("id"), **call(wanted)}), flush=True)


if __name__ == "__main__":
    main()
