"""CloudTrail's log files: gzipped records in the trail's bucket, written now and then.

A bucket that is gone, or whose policy keeps CloudTrail out, loses its files, as in life.
"""

import asyncio
import gzip
import json
import logging
import random
import string
from collections import defaultdict
from datetime import UTC, datetime

from ministack.core import iam_evaluator
from ministack.core.responses import request_scope
from ministack.services import s3

from . import partition, trails
from .clock import clock
from .trails import Trail

log = logging.getLogger("lab.trail_files")

_MOST_RECORDS = 500


class TrailFiles:
    def __init__(self) -> None:
        self._waiting: dict[tuple[Trail, str], list[dict]] = defaultdict(list)
        self._writing: asyncio.Task | None = None

    def add(self, trail: Trail, record: dict) -> None:
        """Keep `record` for the trail's next file, and write the file when it is full."""
        waiting = self._waiting[trail, record["awsRegion"]]
        waiting.append(record)
        if len(waiting) == _MOST_RECORDS:
            self._writing = asyncio.get_running_loop().create_task(self.flush())

    async def flush(self) -> int:
        """Write every file that has records; how many were written."""
        waiting, self._waiting = self._waiting, defaultdict(list)
        written = 0
        for (trail, region), records in waiting.items():
            written += await _write(trail, region, records)
        return written


async def _write(trail: Trail, region: str, records: list[dict]) -> bool:
    moment = datetime.fromtimestamp(clock.now(), UTC)
    key = _key(trail, region, moment)
    owner = _owner_of(trail.bucket)
    if owner is None or not _policy_allows(trail, owner, key):
        log.warning("trail %s cannot write to bucket %s", trail.name, trail.bucket)
        return False
    body = gzip.compress(partition.renamed(json.dumps({"Records": records}).encode()))
    headers = {"content-type": "application/json", "content-encoding": "gzip", "content-length": str(len(body))}
    with request_scope(owner, trail.home_region):
        status, _, _ = await s3.handle_request(
            "PUT", f"/{trail.bucket}/{key}", headers, body, {}, enforce_bucket_region=False, internal=True
        )
    if status == 200:
        trails.delivered(trail, clock.now())
    return status == 200


def _key(trail: Trail, region: str, moment: datetime) -> str:
    unique = "".join(random.choices(string.ascii_letters + string.digits, k=16))
    folder = f"AWSLogs/{trail.account}/CloudTrail/{region}/{moment:%Y/%m/%d}"
    key = f"{folder}/{trail.account}_CloudTrail_{region}_{moment:%Y%m%dT%H%MZ}_{unique}.json.gz"
    return f"{trail.prefix}/{key}" if trail.prefix else key


def _owner_of(bucket: str) -> str | None:
    return next((account for (account, name) in s3._buckets.to_dict() if name == bucket), None)


def _policy_allows(trail: Trail, owner: str, key: str) -> bool:
    arn = f"arn:aws:s3:::{trail.bucket}/{key}"
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="s3:PutObject",
        resource_arn=arn,
        region=trail.home_region,
        secure_transport=True,
        service_context={
            "aws:sourcearn": f"arn:aws:cloudtrail:{trail.home_region}:{trail.account}:trail/{trail.name}",
            "aws:sourceaccount": trail.account,
            "s3:x-amz-acl": "bucket-owner-full-control",
        },
    )
    with request_scope(owner, trail.home_region):
        policy = s3._bucket_policies.get(trail.bucket)
    return (
        iam_evaluator.evaluate_resource_policy(policy, context, service="cloudtrail.amazonaws.com").decision == "Allow"
    )
