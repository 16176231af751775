"""Trouble on request: throttling, server errors, slow answers, lost connections. Off unless a test asks."""

import random
from dataclasses import dataclass

from . import protocol, shapes
from .call import Answer

KINDS = ("throttle", "500", "slow", "drop")
_THROTTLED = {
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
}
_THROTTLED_BY_PROTOCOL = {"query": ("Throttling", "Rate exceeded", 400)}
_THROTTLED_ELSEWHERE = ("ThrottlingException", "Rate exceeded", 400)
_BROKEN = {"s3": ("InternalError", "We encountered an internal error. Please try again.", 500)}
_BROKEN_ELSEWHERE = ("InternalFailure", "The request processing has failed because of an unknown error.", 500)


@dataclass
class Fault:
    """`service` and `operation` of `None` mean any. `times` of `None` means until deleted."""

    kind: str
    service: str | None = None
    operation: str | None = None
    rate: float = 1.0
    times: int | None = None
    seconds: float = 1.0

    def hits(self, request: shapes.Request) -> bool:
        return self.service in (None, request.service) and self.operation in (None, request.operation)


class Faults:
    def __init__(self) -> None:
        self._set: list[Fault] = []

    def add(self, fault: Fault) -> None:
        if fault.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}")
        self._set.append(fault)

    def clear(self) -> None:
        self._set.clear()

    def strike(self, request: shapes.Request) -> Fault | None:
        """The fault that hits this call, used up by one."""
        for fault in self._set:
            if fault.hits(request) and fault.times != 0 and random.random() < fault.rate:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


def answer(fault: Fault, service: str) -> Answer | None:
    """What the caller gets instead; `None` for faults that leave the answer as it is."""
    if fault.kind == "throttle":
        by_protocol = _THROTTLED_BY_PROTOCOL.get(protocol.protocol_of(service), _THROTTLED_ELSEWHERE)
        return protocol.error(service, *_THROTTLED.get(service, by_protocol))
    if fault.kind == "500":
        return protocol.error(service, *_BROKEN.get(service, _BROKEN_ELSEWHERE))
    return None
