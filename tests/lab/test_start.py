"""Starting, stopping, and several labs at once."""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.conftest import ENVIRONMENT, RunningLab


def test_a_lab_is_ready_after_less_than_five_seconds_of_work_and_leaves_when_its_parent_does():
    before = _seconds_of_children()
    running = RunningLab()
    assert running.endpoint.startswith("http://127.0.0.1:")
    assert running.stop() == 0
    assert _seconds_of_children() - before < 5  # of processor time: other work on the machine does not count


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_lab_leaves_on_sigterm_and_leaves_nothing_behind():
    running = RunningLab("--world", "empty", "--keep")
    folder = Path(tempfile.gettempdir()) / f"keepwatch-lab-{running.process.pid}"
    assert folder.is_dir()
    running.process.terminate()
    assert running.process.wait(timeout=10) == 0
    assert not folder.exists()


def test_several_labs_run_at_once_and_do_not_share_anything():
    first, second = RunningLab("--world", "empty"), RunningLab("--world", "empty")
    try:
        first.vault()
        seen = second.client("backup", second.root("production")).list_backup_vaults()["BackupVaultList"]
        assert first.endpoint != second.endpoint
        assert seen == []
    finally:
        first.stop()
        second.stop()


def test_the_agent_has_a_session_of_its_role_in_the_security_account(lab):
    caller = lab.client("sts", lab.ready["agent"]).get_caller_identity()
    assert caller["Account"] == "333344445555"
    assert ":assumed-role/KeepwatchAgent/" in caller["Arn"]


def test_the_agent_sees_the_accounts_of_the_organisation(lab):
    listed = lab.client("organizations", lab.ready["agent"], "us-east-1").list_accounts()["Accounts"]
    assert [account["Id"] for account in listed] == ["111122223333", "222233334444", "333344445555", "444455556666"]


def test_the_client_tells_answers_and_refusals_line_by_line(lab):
    calls = [
        _line(lab, 1, lab.attacker, "backup", "list_backup_vaults"),
        _line(lab, 2, lab.attacker, "backup", "describe_backup_vault", BackupVaultName="nowhere"),
        _line(lab, 3, {**lab.attacker, "secret_access_key": "wrong"}, "iam", "list_users"),
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "lab.client"],
        input="\n".join(calls),
        capture_output=True,
        text=True,
        timeout=30,
        env=ENVIRONMENT,
    )
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert answers[0]["id"] == 1 and "T" in answers[0]["ok"]["BackupVaultList"][0]["CreationDate"]
    assert answers[1]["error"]["code"] == "ResourceNotFoundException" and answers[1]["error"]["status"] == 400
    assert answers[2]["error"]["code"] == "SignatureDoesNotMatch"


def _line(lab, number: int, who: dict, service: str, operation: str, **params) -> str:
    wanted = {"id": number, "endpoint": lab.endpoint, "credentials": who, "region": "eu-west-1", "service": service}
    return json.dumps({**wanted, "operation": operation, "params": params})
