"""Faults, figures, and Slack."""

import hashlib
import hmac
import json
import threading
import time
import urllib.error
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from lab.conftest import refusal
from lab.presses import SIGNING_SECRET


def test_faults_hit_the_operation_they_name_as_often_as_they_say(lab):
    backup = lab.client("backup", lab.attacker)
    lab.control("/faults", {"service": "backup", "operation": "ListBackupVaults", "kind": "throttle", "times": 2})
    assert refusal(backup.list_legal_holds) == ""
    assert [refusal(backup.list_backup_vaults) for _ in range(3)] == ["ThrottlingException"] * 2 + [""]


@pytest.mark.parametrize(
    ("service", "call", "code"), [("s3", "list_buckets", "SlowDown"), ("iam", "list_users", "Throttling")]
)
def test_throttling_is_worded_as_the_service_words_it(lab, service, call, code):
    lab.control("/faults", {"service": service, "kind": "throttle", "times": 1})
    assert refusal(getattr(lab.client(service, lab.attacker), call)) == code


def test_a_flood_of_iam_in_an_account_is_felt_by_everybody_who_works_there_and_nowhere_else(lab):
    session = lab.assume(
        lab.ready["agent"], "arn:aws:iam::111122223333:role/KeepwatchRead", ExternalId=lab.world["external_id"]
    )
    flood, reads = lab.client("iam", lab.attacker), lab.client("iam", session)
    elsewhere = lab.client("iam", lab.root("backup"))
    lab.control("/settings", {"iam_calls_per_second": 0.001})
    assert refusal(flood.list_users) == ""
    assert refusal(reads.list_user_policies, UserName="alice") == "Throttling"
    assert refusal(elsewhere.list_users) == ""
    assert refusal(lab.client("backup", lab.attacker).list_backup_vaults) == ""
    lab.control("/clock", {"advance_seconds": 1000})
    assert refusal(reads.list_user_policies, UserName="alice") == ""


def test_a_server_error_is_500(lab):
    lab.control("/faults", {"service": "iam", "kind": "500", "times": 1})
    with pytest.raises(ClientError) as refused:
        lab.client("iam", lab.attacker).list_users()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_a_slow_answer_is_slow(lab):
    lab.control("/faults", {"service": "iam", "kind": "slow", "seconds": 0.3, "times": 1})
    started = time.monotonic()
    lab.client("iam", lab.attacker).list_users()
    assert time.monotonic() - started >= 0.3


def test_a_dropped_call_took_effect_but_is_never_answered(lab):
    iam = lab.client("iam", lab.attacker)
    lab.control("/faults", {"service": "iam", "operation": "TagUser", "kind": "drop", "times": 1})
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        iam.tag_user(UserName="alice", Tags=[{"Key": "dropped", "Value": "yes"}])
    assert {"Key": "dropped", "Value": "yes"} in iam.list_user_tags(UserName="alice")["Tags"]


def test_a_misspelt_setting_or_fault_is_refused(lab):
    for path, body in (
        ("/settings", {"iam_delay": 1}),
        ("/faults", {"kind": "meteor"}),
        ("/clock", {"advance_seconds": -1}),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            lab.control(path, body)
        assert refused.value.code == 400


def test_the_figures_count_calls_and_time(lab):
    lab.client("iam", lab.attacker).list_users()
    figures = lab.control("/stats")["operations"]["iam:ListUsers"]
    assert figures["count"] >= 1 and 0 < figures["p50_ms"] <= figures["max_ms"]


# Slack

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}


def test_a_message_is_posted_threaded_updated_and_read_back_with_its_metadata(lab):
    metadata = {"event_type": "incident", "event_payload": {"id": "1"}}
    posted = lab.slack(
        "chat.postMessage", {"channel": "#keepwatch", "text": "t", "blocks": [SECTION], "metadata": metadata}
    )
    assert posted["ok"] and posted["channel"] == "C0KEEPWATCH"
    reply = lab.slack("chat.postMessage", {"channel": "C0KEEPWATCH", "text": "re", "thread_ts": posted["ts"]})
    assert lab.slack("chat.update", {"channel": "C0KEEPWATCH", "ts": posted["ts"], "text": "new"})["ok"]
    query = {"channel": "C0KEEPWATCH", "ts": posted["ts"], "include_all_metadata": True}
    replies = lab.slack_form("conversations.replies", query)["messages"]
    assert [one["ts"] for one in replies] == [posted["ts"], reply["ts"]]
    assert replies[0]["metadata"] == metadata and replies[0]["text"] == "new"
    history = lab.slack_form("conversations.history", {"channel": "C0KEEPWATCH"})["messages"]
    assert reply["ts"] not in [one["ts"] for one in history] and "metadata" not in history[0]
    kept = next(one for one in lab.control("/slack/messages") if one["ts"] == posted["ts"])
    assert kept["updated"] is True


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"channel": "#nowhere", "text": "x"}, "channel_not_found"),
        ({"channel": "#keepwatch"}, "no_text"),
        ({"channel": "#keepwatch", "text": "x", "thread_ts": "1.0"}, "thread_not_found"),
        ({"channel": "#keepwatch", "blocks": [SECTION] * 51}, "invalid_blocks"),
        ({"channel": "#keepwatch", "blocks": [{"type": "banner"}]}, "invalid_blocks"),
        ({"channel": "#keepwatch", "blocks": [{"type": "divider", "text": "x"}]}, "invalid_blocks"),
        (
            {"channel": "#keepwatch", "blocks": [{**SECTION, "block_id": "a"}, {**SECTION, "block_id": "a"}]},
            "invalid_blocks",
        ),
        (
            {"channel": "#keepwatch", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]},
            "invalid_blocks",
        ),
        (
            {"channel": "#keepwatch", "blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]},
            "invalid_blocks",
        ),
        (
            {"channel": "#keepwatch", "blocks": [{"type": "context", "elements": [SECTION["text"]] * 11}]},
            "invalid_blocks",
        ),
        (
            {
                "channel": "#keepwatch",
                "blocks": [
                    {
                        "type": "actions",
                        "elements": [
                            {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "x" * 76}}
                        ],
                    }
                ],
            },
            "invalid_blocks",
        ),
    ],
)
def test_slack_refuses_what_slack_refuses(lab, body, error):
    answer = lab.slack("chat.postMessage", body)
    assert (answer["ok"], answer["error"]) == (False, error)
    assert error != "invalid_blocks" or answer["response_metadata"]["messages"][0].startswith("[ERROR] ")


@pytest.mark.parametrize("method", ["conversations.history", "conversations.replies"])
def test_slack_reads_no_json_on_methods_that_read(lab, method):
    posted = lab.slack("chat.postMessage", {"channel": "C0KEEPWATCH", "text": "t"})
    query = {"channel": "C0KEEPWATCH", "ts": posted["ts"]}
    answer = lab.slack(method, query)
    assert (answer["ok"], answer["error"]) == (False, "invalid_arguments")
    assert lab.slack_form(method, query)["ok"]


def test_slack_wants_the_token(lab):
    assert lab.slack("auth.test", {})["ok"]
    assert lab.slack("auth.test", {}, token="xoxb-stolen")["error"] == "invalid_auth"


def test_slack_can_be_in_trouble(lab):
    lab.control("/slack/faults", {"status": 429, "retry_after": 7, "times": 1})
    with pytest.raises(urllib.error.HTTPError) as refused:
        lab.slack("auth.test", {})
    assert refused.value.code == 429 and refused.value.headers["Retry-After"] == "7"
    assert lab.slack("auth.test", {})["ok"]


def test_a_press_is_signed_as_slack_signs_it_and_only_what_is_shown_can_be_pressed(lab):
    button = {"type": "button", "action_id": "undo", "value": "1", "text": {"type": "plain_text", "text": "Undo"}}
    blocks = [{"type": "actions", "elements": [button]}]
    assert lab.slack("chat.postMessage", {"channel": "#keepwatch", "text": "t", "blocks": blocks})["ok"]
    heard = []

    class App(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.append((body, dict(self.headers)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    app = HTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    press = {"url": f"http://127.0.0.1:{app.server_port}/", "user": "U0ALICE", "action_id": "undo", "value": "1"}
    assert lab.control("/slack/press", press) == lab.control("/slack/again", press) == {"status": 200}
    with pytest.raises(urllib.error.HTTPError):
        lab.control("/slack/press", {**press, "value": "2"})
    app.shutdown()
    (body, headers), second = heard
    headers = {name.lower(): value for name, value in headers.items()}
    signed = f"v0:{headers['x-slack-request-timestamp']}:".encode() + body
    expected = hmac.new(SIGNING_SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["x-slack-signature"] == f"v0={expected}" and second[0] == body
    payload = json.loads(parse_qs(body.decode())["payload"][0])
    assert payload["user"]["id"] == "U0ALICE" and payload["actions"][0]["value"] == "1"


def test_what_is_told_to_one_person_stays_out_of_the_channel(lab):
    before = len(lab.control("/slack/messages"))
    assert lab.slack("chat.postEphemeral", {"channel": "#keepwatch", "user": "U0BOB", "text": "no"})["ok"]
    assert lab.slack("chat.postEphemeral", {"channel": "#keepwatch", "text": "no"})["error"] == "user_not_in_channel"
    assert lab.control("/slack/ephemerals")[-1]["user"] == "U0BOB" and len(lab.control("/slack/messages")) == before


def test_a_scheduled_message_is_posted_when_its_time_has_come(lab):
    def schedule(post_at):
        return lab.slack("chat.scheduleMessage", {"channel": "#keepwatch", "text": "later", "post_at": post_at})

    def said():
        return [message["text"] for message in lab.control("/slack/messages")]

    now = int(lab.control("/clock")["now"])
    assert schedule(now - 1)["error"] == "time_in_past"
    assert schedule(now + 121 * 24 * 3600)["error"] == "time_too_far"
    assert schedule("soon")["error"] == "invalid_time"
    assert schedule(now + 600)["ok"]
    assert "later" not in said()
    lab.control("/clock", {"advance_seconds": 601})
    assert said().count("later") == 1
