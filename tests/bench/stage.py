"""What is measured: programs, corpora, rules. Made once, and kept while it fits."""

import gzip
import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from .process import run


# How many files stand behind the links of a corpus of many files.
LINKED = 16


@dataclass(frozen=True)
class Tools:
    """Programs, and the folder for everything that is made."""

    keepwatch: Path
    bench: Path
    opa: Path
    opa_peer: Path
    work: Path


@dataclass(frozen=True)
class Corpus:
    """Trail files, and what they hold."""

    folder: Path
    made: dict

    @property
    def trail(self) -> Path:
        return self.folder / "AWSLogs"

    @property
    def accounts(self) -> Path:
        return self.folder / "accounts.toml"

    @property
    def records(self) -> int:
        return self.made["records"]

    def violations(self) -> set[str]:
        return lines_of(self.folder / "violations.tsv")


def lines_of(path: Path) -> set[str]:
    return set(path.read_text().splitlines())


def corpus(tools: Tools, name: str, records: int, wanted: int = 3, accounts: int = 2) -> Corpus:
    """The corpus of these arguments; the one that is there, if the same program made it so."""
    folder = tools.work / "corpus" / name
    arguments = ["--records", str(records), "--wanted", str(wanted), "--accounts", str(accounts)]
    maker = hashlib.sha256(tools.bench.read_bytes()).hexdigest()
    wish = json.dumps([maker, arguments])
    stamp = folder / "WISH"
    if not stamp.exists() or stamp.read_text() != wish:
        print(f"making corpus {name}: {records} records, {wanted} % wanted, {accounts} accounts", flush=True)
        run([tools.bench, "corpus", folder, *arguments], tools.work)
        stamp.write_text(wish)
    return Corpus(folder, json.loads((folder / "MADE").read_text()))


def many_files(tools: Tools, source: Corpus, files: int) -> Corpus:
    """The smallest files of a corpus again and again, under other names: links, each file's
    fewer than a file system allows."""
    folder = tools.work / "corpus" / f"files-{files}"
    stamp = folder / "WISH"
    wish = (source.folder / "WISH").read_text()
    if not stamp.exists() or stamp.read_text() != wish:
        print(f"making corpus {folder.name}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        smallest = sorted(source.trail.rglob("*.json.gz"), key=lambda path: path.stat().st_size)[:LINKED]
        held = [len(json.loads(gzip.decompress(path.read_bytes()))["Records"]) for path in smallest]
        for number in range(files):
            day = folder / "AWSLogs" / f"{number // 1000:012}" / "CloudTrail" / "eu-west-1" / "2026" / "03" / "01"
            day.mkdir(parents=True, exist_ok=True)
            os.link(smallest[number % LINKED], day / f"{number // 1000:012}_CloudTrail_eu-west-1_{number}.json.gz")
        shutil.copy(source.accounts, folder)
        made = {"records": sum(held[number % LINKED] for number in range(files))}
        (folder / "MADE").write_text(json.dumps(made))
        stamp.write_text(wish)
    return Corpus(folder, json.loads((folder / "MADE").read_text()))


def lines(tools: Tools, source: Corpus) -> Path:
    """The records of a corpus as lines, for the engines that cannot unpack."""
    path = source.folder / "lines.txt"
    if not path.exists() or path.stat().st_mtime < (source.folder / "MADE").stat().st_mtime:
        run([tools.bench, "lines", source.trail, path], tools.work)
    return path


def bundle(tools: Tools, policies: Path, name: str) -> Path:
    path = tools.work / f"{name}.tar.gz"
    run([tools.keepwatch, "policy", "build", policies, "-o", path], tools.work)
    return path


def rules(tools: Tools, first: int, end: int) -> Path:
    """The folder of the ten conditions in every language, and of these Keepwatch rules. The
    first ten are the conditions; what the others ask for is in no record."""
    folder = tools.work / f"rules-{first}-{end}"
    run([tools.bench, "rules", folder, "--from", str(first), "--to", str(end)], tools.work)
    return folder


def copies(tools: Tools, policies: Path, count: int) -> Path:
    """So many rules of the size of those in a folder: its own, and copies of them under other names and ids."""
    target = tools.work / f"copies-{count}"
    shutil.rmtree(target, ignore_errors=True)
    for shared in ("lib", "data"):
        shutil.copytree(policies / shared, target / shared)
    shutil.copy(policies / "capabilities.json", target)
    rules = sorted(path for part in ("events", "resources") for path in (policies / part).rglob("*.rego"))
    rules = [path for path in rules if not path.name.endswith("_test.rego")]
    for number in range(count):
        turn, place = divmod(number, len(rules))
        rule = rules[place].relative_to(policies)
        suffix = f"_{turn}" if turn else ""
        made = target / f"{rule.parent}{suffix}" / f"{rule.stem}{suffix}.rego"
        made.parent.mkdir(parents=True)
        made.write_text(renamed(rules[place].read_text(), ".".join(rule.parent.parts), suffix))
    return target


def renamed(rule: str, package: str, suffix: str) -> str:
    rule = re.sub(rf"\b{re.escape(package)}\b", package + suffix, rule)
    return re.sub(r"(?m)^(#\s+id: \S+)$", rf"\g<1>{suffix.replace('_', '-')}", rule)


def wasm(tools: Tools, folder: Path) -> Path:
    """The conditions as a plain module of OPA's."""
    archive = folder / "conditions.tar.gz"
    rego = folder / "conditions.rego"
    run([tools.opa, "build", "-t", "wasm", "-e", "bench/matches", "-o", archive, rego], tools.work)
    run(["tar", "-xzf", archive, "-C", folder, "/policy.wasm"], tools.work)
    return folder / "policy.wasm"
