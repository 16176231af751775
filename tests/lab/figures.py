"""The figures of the demo: how fast containment begins over a hundred attacks, what noise costs, what idling takes.

All of them are the agent's own metrics; the lab's latency is measured by the agent too and shown apart.
"""

import json
import re
import time

from .accounts import PRODUCTION
from .stage import Stage

_ATTACKS = 100
_NOISE = 200
_CONTAINMENT = "keepwatch_time_to_containment_seconds"
_IGNORED = 'keepwatch_messages_settled_total{outcome="ignored"}'


def show(stage: Stage) -> None:
    stage.title("Figures")
    stage.settings(delivery_delay_seconds=0)
    stage.root("cloudtrail").start_logging(Name=stage.world["trail"])
    stage.root("kms").enable_key(KeyId=stage.world["kms_key_arn"])
    stage.start_agent(_generous_budgets(stage), KEEPWATCH_STORE=str(stage._folder / "figures.db"))
    _idle(stage)
    _noise(stage)
    _attacks(stage)
    stage.stop_agent()


def _generous_budgets(stage: Stage) -> str:
    """A hundred attackers in a minute are beyond any sensible budget."""
    text = (stage._root / "accounts.toml").read_text()
    text = re.sub(r"(?m)^(soft_containments|repairs|repairs_of_one_resource) = \d+", r"\1 = 1000", text)
    path = stage._folder / "accounts.toml"
    path.write_text(text)
    return str(path)


def _idle(stage: Stage) -> None:
    time.sleep(2)  # its first sweep is over by then
    metrics = stage.metrics()
    stage.say("agent", f"from start to polling: {metrics['keepwatch_startup_seconds'] * 1000:.0f} ms")
    megabytes = metrics["process_resident_memory_bytes"] / 1e6
    stage.say("agent", f"resident while idle: {megabytes:.0f} MB")
    stage.check(metrics["keepwatch_startup_seconds"] < 1, "it polls within a second")
    stage.check(megabytes < 60, "it idles below 60 MB")


def _noise(stage: Stage) -> None:
    before = stage.metrics()
    iam = stage.client("iam", stage.world["alice"])
    for number in range(_NOISE):
        iam.tag_user(UserName="alice", Tags=[{"Key": "desk", "Value": str(number)}])
    ignored = before[_IGNORED] + _NOISE
    stage.eventually(f"{_NOISE} messages of noise are handled", lambda: stage.metrics()[_IGNORED] >= ignored)
    writes = stage.metrics()["keepwatch_store_writes_total"] - before["keepwatch_store_writes_total"]
    stage.check(writes == 0, f"they cost {writes:.0f} writes to the store")


def _attacks(stage: Stage) -> None:
    keys = [_attacker(stage, f"mallory-{number}") for number in range(_ATTACKS)]
    for key in keys:
        stage.client("kms", key).disable_key(KeyId=stage.world["kms_key_arn"])
    counted = _CONTAINMENT + '_count{spent="agent"}'
    stage.eventually(f"{_ATTACKS} attackers are contained", lambda: stage.metrics().get(counted, 0) >= _ATTACKS)
    metrics = stage.metrics()
    for quantile in (0.5, 0.99, 1):
        own, waited = (_at_most(metrics, spent, quantile) * 1000 for spent in ("agent", "aws"))
        stage.say(
            "agent",
            f"first containing call, quantile {quantile}: at most {own:g} ms of its own, {waited:g} ms for the lab",
        )
    stage.check(_at_most(metrics, "agent", 0.99) <= 0.05, "99 of 100 containments begin within 50 ms")


def _at_most(metrics: dict[str, float], spent: str, quantile: float) -> float:
    """The upper bound, in seconds, of the bucket of the histogram in which a quantile lies."""
    series = re.compile(re.escape(_CONTAINMENT) + r'_bucket\{(?=.*spent="' + spent + r'").*le="([^"]+)"')
    found = {float(bucket[1]): count for name, count in metrics.items() if (bucket := series.match(name))}
    wanted = quantile * metrics[_CONTAINMENT + f'_count{{spent="{spent}"}}']
    return min(bound for bound, count in found.items() if count >= wanted)


def _attacker(stage: Stage, name: str) -> dict:
    iam = stage.root("iam", PRODUCTION)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(everything))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
