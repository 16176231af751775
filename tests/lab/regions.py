"""Which Regions a request may be signed for. It refuses what no endpoint of AWS would take."""

import functools
import re

from botocore.loaders import Loader
from ministack.core import iam_actions

from . import accounts, protocol
from .call import Answer, Call


@functools.cache
def _names() -> re.Pattern:
    known = Loader().load_data("partitions")["partitions"]
    return re.compile(next(one["regionRegex"] for one in known if one["id"] == accounts.PARTITION))


def refusal(call: Call) -> Answer | None:
    """The answer to a call whose signature names no Region of the partition; `None` for any other."""
    if not call.signing_name or _names().match(call.signed_region):
        return None
    if call.signing_name == "s3":
        message = f"The authorization header is malformed; the region '{call.signed_region}' is wrong"
        return protocol.error("s3", "AuthorizationHeaderMalformed", message, 400)
    status, headers, body = iam_actions.access_denied_response(
        call.signing_name,
        "",
        "",
        "",
        error_code="SignatureDoesNotMatch",
        message="Credential should be scoped to a valid region.",
        headers=call.headers,
    )
    return Answer(status, {name.lower(): value for name, value in headers.items()}, body)
