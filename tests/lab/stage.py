"""What the demo plays on: a lab, an agent, the attacker's client, and eyes that look into the account.

It runs the real binary and real boto3, prints a line for everything that happens, and waits; it knows nothing of the
story.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from .accounts import HOME_REGION, PRODUCTION

_PATIENCE_SECONDS = 30


class Refused(Exception):
    """AWS said no."""


class Stage:
    def __init__(self, root: Path, folder: Path, keepwatch: str) -> None:
        self._root, self._folder, self._keepwatch = root, folder, keepwatch
        self._began = time.monotonic()
        self._lab = self._agent = None
        self.ready: dict = {}

    # Telling

    def title(self, text: str) -> None:
        print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)

    def say(self, who: str, text: str) -> None:
        print(f"{time.monotonic() - self._began:7.2f}s  {who:<10} {text}", flush=True)

    def check(self, holds: bool, what: str) -> None:
        assert holds, what
        self.say("account", what)

    def eventually(self, what: str, holds) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"never came true within {_PATIENCE_SECONDS} s: {what}"
            time.sleep(0.02)
        self.say("account", what)

    # The lab

    @property
    def world(self) -> dict:
        return self.ready["world"]

    def start_lab(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(self._root / "tests")}
        self._lab = subprocess.Popen(
            [sys.executable, "-m", "lab", "--world", "securecart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=self._root,
        )
        self.ready = json.loads(self._lab.stdout.readline())
        self.say("lab", f"{len(self.ready['accounts'])} accounts at {self.ready['endpoint']}")

    def settings(self, **settings) -> None:
        self.control("settings", settings)

    def control(self, path: str, body: dict | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.ready['endpoint']}/_lab/{path}", data=data)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def client(self, service: str, credentials: dict, region: str = HOME_REGION):
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.ready["endpoint"],
            aws_access_key_id=credentials["access_key_id"],
            aws_secret_access_key=credentials["secret_access_key"],
            aws_session_token=credentials.get("session_token"),
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def root(self, service: str, account: str = PRODUCTION, region: str = HOME_REGION):
        return self.client(service, {"access_key_id": account, "secret_access_key": "test"}, region)

    def attacker(self, service: str, operation: str, **parameters) -> dict:
        """One call with the stolen key, by the client that anybody would use."""
        shown = ", ".join(f"{key}={value}" for key, value in parameters.items())
        self.say("attacker", f"{service} {operation.replace('_', '-')} {shown}")
        try:
            return getattr(self.client(service, self.ready["attacker"]), operation)(**parameters)
        except ClientError as error:
            raise Refused(error.response["Error"]["Message"]) from error

    # The agent

    def environment(self) -> dict:
        agent = self.ready["agent"]
        return {
            **os.environ,
            "AWS_ENDPOINT_URL": self.ready["endpoint"],
            "AWS_REGION": HOME_REGION,
            "AWS_ACCESS_KEY_ID": agent["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": agent["secret_access_key"],
            "AWS_SESSION_TOKEN": agent["session_token"],
            "KEEPWATCH_SLACK_API": self.ready["slack"],
            "KEEPWATCH_SLACK_TOKEN": self.ready["slack_token"],
            "KEEPWATCH_SLACK_SIGNING_SECRET": self.ready["slack_signing_secret"],
            "KEEPWATCH_POLICIES": str(self._root / "target/policies/bundle.tar.gz"),
            "KEEPWATCH_STORE": str(self._folder / "keepwatch.db"),
            "KEEPWATCH_LOG": "warn",
        }

    def keepwatch(self, *arguments: str, expect: int = 0) -> str:
        done = subprocess.run(
            [self._keepwatch, *arguments], capture_output=True, text=True, env=self.environment(), cwd=self._root
        )
        text = (
            f"`keepwatch {' '.join(arguments)}` ended with {done.returncode}, not {expect}:\n{done.stdout}{done.stderr}"
        )
        assert done.returncode == expect, text
        return done.stdout or done.stderr

    def keepwatch_says(self, *arguments: str, expect: int = 0) -> None:
        self.say("responder", f"keepwatch {' '.join(arguments)}")
        for line in self.keepwatch(*arguments, expect=expect).splitlines():
            print(f"{'':20} {line}", flush=True)

    def keepwatch_json(self, *arguments: str):
        return json.loads(self.keepwatch(*arguments))

    def start_agent(self, config: str = "accounts.toml", **environment: str) -> None:
        self._listen = f"127.0.0.1:{_free_port()}"
        self._agent = subprocess.Popen(
            [self._keepwatch, "run", "--config", config, "--listen", self._listen],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment(), **environment},
            cwd=self._root,
        )
        threading.Thread(target=self._relay, args=(self._agent.stderr,), daemon=True).start()
        self.eventually("the agent polls its queue", lambda: self.metrics().get("keepwatch_startup_seconds", 0) > 0)
        self.eventually("it has looked at every resource", lambda: self.metrics().get("keepwatch_sweeps_total", 0) > 0)

    def _relay(self, log) -> None:
        for line in log:
            self.say("agent", line.rstrip())

    def metrics(self) -> dict[str, float]:
        """What the agent says of itself; nothing while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self._listen}/metrics", timeout=2) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def stop_agent(self) -> None:
        self._agent.send_signal(signal.SIGTERM)
        code = self._agent.wait(timeout=_PATIENCE_SECONDS)
        self.check(code == 0, "the agent stopped in good order")

    def close(self) -> None:
        if self._agent and self._agent.poll() is None:
            self._agent.kill()
        if self._lab:
            self._lab.stdin.close()
            self._lab.wait(timeout=_PATIENCE_SECONDS)

    # Eyes in the account

    def quarantined(self, user: str) -> bool:
        names = self.root("iam").list_user_policies(UserName=user)["PolicyNames"]
        return any(name.startswith("KeepwatchQuarantine-") for name in names)

    def held(self, vault: str) -> bool:
        holds = self.root("backup").list_legal_holds()["LegalHolds"]
        return any(hold["Title"].endswith(f" {vault}") and hold["Status"] == "ACTIVE" for hold in holds)

    def versioning(self, bucket: str) -> str:
        return self.root("s3").get_bucket_versioning(Bucket=bucket).get("Status", "")

    def logging(self, trail: str) -> bool:
        return self.root("cloudtrail").get_trail_status(Name=trail)["IsLogging"]

    def key_state(self, key: str) -> str:
        return self.root("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"]

    def press(self, user: str, button: str, target: str) -> None:
        self.say(user, f"presses {button} {target}")
        given = {"user": user, "action_id": f"keepwatch_{button.lower()}", "value": target}
        answer = self.control("slack/press", {**given, "url": f"http://{self._listen}/slack/actions"})
        assert answer["status"] == 200, f"the agent answered {answer['status']} to the press"

    def shown_alone(self, user: str, words: str) -> bool:
        return any(one["user"] == user and words in one["text"] for one in self.control("slack/ephemerals"))

    def thread_mentions(self, *words: str) -> bool:
        text = json.dumps(self.control("slack/messages"))
        return all(word in text for word in words)

    def show_thread(self) -> None:
        for message in self.control("slack/messages"):
            first = "" if message["thread_ts"] in (None, message["ts"]) else "  └ "
            self.say("slack", f"{first}{message['text'].splitlines()[0]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
