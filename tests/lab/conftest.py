"""One lab for all tests, spoken to only over the wire, as the agent and the attacker do."""

import itertools
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


class RunningLab:
    """A lab process and what a test does with it."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lab", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        self.ready = json.loads(self.process.stdout.readline())
        self.endpoint = self.ready["endpoint"]
        self.world = self.ready["world"]
        self._clients: dict[tuple, object] = {}
        self._numbers = itertools.count(1)

    def stop(self) -> int:
        self.process.stdin.close()
        return self.process.wait(timeout=10)

    def client(self, service: str, who: dict, region: str | None = None):
        region = region or self.ready["region"]
        key = (service, who["access_key_id"], region)
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                region_name=region,
                endpoint_url=self.endpoint,
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
                aws_access_key_id=who["access_key_id"],
                aws_secret_access_key=who["secret_access_key"],
                aws_session_token=who.get("session_token"),
            )
        return self._clients[key]

    def root(self, account: str) -> dict:
        return {"access_key_id": self.ready["accounts"][account], "secret_access_key": "test"}

    @property
    def attacker(self) -> dict:
        return self.ready["attacker"]

    def assume(self, who: dict, role: str, **given) -> dict:
        given = {"RoleSessionName": f"test-{next(self._numbers)}", **given}
        credentials = self.client("sts", who).assume_role(RoleArn=role, **given)["Credentials"]
        return {
            "access_key_id": credentials["AccessKeyId"],
            "secret_access_key": credentials["SecretAccessKey"],
            "session_token": credentials["SessionToken"],
        }

    def user(self, *allowed: str) -> tuple[str, dict]:
        """A new user of the production account who may do `allowed`, with a key."""
        iam, name = self.client("iam", self.root("production")), f"user-{next(self._numbers)}"
        iam.create_user(UserName=name)
        if allowed:
            iam.put_user_policy(UserName=name, PolicyName="work", PolicyDocument=policy("Allow", *allowed))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return name, {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}

    def vault(self, who: dict | None = None) -> str:
        name = f"vault-{next(self._numbers)}"
        self.client("backup", who or self.root("production")).create_backup_vault(BackupVaultName=name)
        return name

    def point(self, vault: str) -> str:
        """A finished recovery point in `vault`."""
        backup = self.client("backup", self.root("production"))
        job = backup.start_backup_job(
            BackupVaultName=vault,
            ResourceArn=self.world["resources"]["orders"],
            IamRoleArn=self.world["backup_role"],
            Lifecycle={"DeleteAfterDays": 35},
        )
        self.control("/clock", {"advance_seconds": 2})
        return job["RecoveryPointArn"]

    def control(self, path: str, body=None, method: str | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_lab{path}", data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())

    def seq(self) -> int:
        return len(self.control("/records"))

    def records(self, since: int) -> list[dict]:
        return [one["record"] for one in self.control(f"/records?since={since}")]

    def messages(self) -> list[dict]:
        """Everything in the agent's queue, taken out of it."""
        sqs, found = self.client("sqs", self.ready["agent"]), []
        url = self.world["queue_url"]
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in batch]
            for message in batch:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def slack(self, method: str, body: dict, token: str = "xoxb-lab") -> dict:
        """A call with a body of JSON, which Slack takes for methods that write."""
        return self._slack(method, json.dumps(body).encode(), "application/json; charset=utf-8", token)

    def slack_form(self, method: str, body: dict) -> dict:
        return self._slack(method, urlencode(body).encode(), "application/x-www-form-urlencoded", "xoxb-lab")

    def _slack(self, method: str, body: bytes, content_type: str, token: str) -> dict:
        headers = {"content-type": content_type, "authorization": f"Bearer {token}"}
        with urllib.request.urlopen(urllib.request.Request(self.ready["slack"] + method, body, headers)) as answer:
            return json.loads(answer.read())

    def signed(self, who: dict, service: str, region: str, **request) -> tuple[int, str]:
        """Status and body of a request signed by hand, for what no client would send."""
        keys = Credentials(who["access_key_id"], who["secret_access_key"], who.get("session_token"))
        signed = AWSRequest(**{"method": "GET", "url": self.endpoint + "/", **request})
        (S3SigV4Auth if service == "s3" else SigV4Auth)(keys, service, region).add_auth(signed)
        sent = signed.prepare()
        plain = urllib.request.Request(sent.url, sent.body, dict(sent.headers), method=sent.method)
        try:
            with urllib.request.urlopen(plain) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()


def policy(effect: str, *actions: str, condition: dict | None = None) -> str:
    statement = {"Effect": effect, "Action": list(actions), "Resource": "*"}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def refusal(call, **given) -> str:
    """The error code that `call` is refused with; empty when it is not refused."""
    try:
        call(**given)
    except ClientError as refused:
        return refused.response["Error"]["Code"]
    return ""


@pytest.fixture(scope="session")
def shared():
    running = RunningLab()
    yield running
    running.stop()


@pytest.fixture
def lab(shared):
    """The shared lab, with nothing waiting and no trouble set."""
    shared.messages()
    yield shared
    shared.control("/faults", method="DELETE")
    usual = dict.fromkeys(shared.control("/settings"), 0)
    shared.control("/settings", {**usual, "job_seconds": 1, "copy_seconds": 1})


@pytest.fixture
def own_lab():
    """A lab for one test: what is broken or aged there stays so."""
    running = RunningLab()
    yield running
    running.stop()
