"""The README's section "Founding a network of four by hand", run as it is written there, and what comes after.

The tests are one story over one network and run in the order in which they stand.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Iterator

import pytest

from tests.integration.network.site import NAMES, ROOT, SUBJECT, Site, free_ports, wait_for

pytestmark = pytest.mark.network
ID = "7b5c8fc6486d"
"""Of bridge-forgery on SUBJECT: the same on every node, everywhere."""


def readme_blocks() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## Founding a network of four by hand\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


FOUND, RUN, STATUS, ALARM, END, SEE, KEEP = range(7)


class Readme(Site):
    """The README's lines with ports that are free here in place of its own."""

    def lines(self, number: int) -> str:
        text = readme_blocks()[number]
        for index, name in enumerate(NAMES):
            # a free port may begin as the next one to be replaced does
            text = re.sub(rf"tcp/{4101 + index}\b", f"tcp/{self.ports[name]}", text)
        return text


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readme]:
    site = Readme(tmp_path_factory.mktemp("four"), ports=dict(zip(NAMES, free_ports(4))))
    yield site
    site.close()


def test_four_members_found_a_network_with_the_readmes_lines(four: Readme) -> None:
    ran = four.shell(four.lines(FOUND))
    assert ran.code == 0, ran.err
    assert "4 control groups, 1 may lie; groups needed: GUARD 2, ISOLATE 3, HALT 3" in ran.out
    assert "All have signed" in ran.out
    assert "FAULT" not in ran.out


def test_the_written_policy_observes(four: Readme) -> None:
    assert 'mode = "observe"' in (four.folder / "venue" / "policy.toml").read_text()
    assert four.at("venue", "policy", "check").code == 0


def test_four_interpreters_become_one_network(four: Readme) -> None:
    commands = four.lines(RUN).strip().splitlines()
    assert commands == [f"tocsin up --config {name}/node.toml" for name in NAMES]
    four.up(*NAMES)
    four.meshed(*NAMES, hears=4)
    ran = four.shell(four.lines(STATUS))
    assert "hears 4 of 4, needs 3; margin 1" in ran.out
    assert re.search(r"^  signs$", ran.out, re.MULTILINE)
    assert len(re.findall(r" up  ", ran.out)) == 3, ran.out


def test_one_members_word_is_no_quorum_in_time(four: Readme) -> None:
    words = ("alert", "raise", SUBJECT, "oracle-manipulation", "ISOLATE", "--person", "anna", "--wait", "1s")
    ran = four.at("issuer", *words)
    assert ran.code == 4
    assert "1 of 3 groups say so" in ran.err


def test_the_words_of_three_groups_are_a_certificate_on_the_fourth_node(four: Readme) -> None:
    ran = four.shell(four.lines(ALARM))
    assert ran.code == 0, ran.err
    assert "certificate ISOLATE" in ran.out
    assert "Holds: ISOLATE, bridge-forgery on " + SUBJECT in ran.out
    assert "said by 3 groups: issuer, lender-a, venue" in ran.out
    assert re.search(r"issuer says ISOLATE since .* \(observed, a person\) through issuer-people\.", ran.out)


def test_a_flipped_byte_proves_nothing(four: Readme) -> None:
    raw = bytearray((four.folder / "rseth.cert").read_bytes())
    raw[len(raw) // 2] ^= 1
    (four.folder / "flipped.cert").write_bytes(raw)
    ran = four.run("verify", "flipped.cert", "--charter", "charter.toml")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "proves nothing" in ran.err


def test_q_releases_end_it_everywhere(four: Readme) -> None:
    ran = four.shell(four.lines(END))
    assert ran.code == 0, ran.err
    for name in NAMES:
        wait_for(f"released at {name}", lambda one=name: four.level(one, "bridge-forgery") == "NONE", 5)


def test_a_killed_node_is_missed_and_comes_back(four: Readme) -> None:
    assert four.at("venue", "backup", "old.sqlite").code == 0
    four.end("venue", signal.SIGKILL)
    wait_for("venue is missed", lambda: (four.status("issuer") or {})["quorum"]["silent"] == ["venue"])
    assert four.at("venue", "status").code == 3
    four.up("venue")
    four.meshed("venue", "issuer", hears=4)
    assert four.at("venue", "alert", "raise", SUBJECT, "liquidity-run", "GUARD", "--person", "cleo").code == 0
    assert wait_for("heard", lambda: four.level("issuer", "liquidity-run") == "WATCH", 5)


def test_down_ends_the_node_in_order(four: Readme) -> None:
    node = four.nodes.pop("venue")
    assert four.at("venue", "down").code == 0
    _, told = node.communicate(timeout=20)
    assert node.returncode == 0
    assert "stopped; nothing was undone; no restriction(s) of ours stand" in told


def test_an_older_store_signs_nothing_and_says_what_to_do(four: Readme) -> None:
    data = four.folder / "venue" / "data"
    for path in data.glob("store.sqlite*"):
        path.unlink()
    shutil.copy(four.folder / "old.sqlite", data / "store.sqlite")
    before = four.at("venue", "doctor")
    assert before.code == 1
    assert "it is an older copy; run `tocsin restore --fresh-key`" in before.out
    four.up("venue")
    told = wait_for("venue runs", lambda: four.status("venue"))
    assert "rolled back or lost" in told["signing"]["why"]
    ran = four.at("venue", "alert", "raise", SUBJECT, "halt-observed", "GUARD", "--person", "cleo")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "`tocsin restore`" in ran.err


def test_a_person_is_given_a_token_for_the_page(four: Readme) -> None:
    ran = four.shell(four.lines(SEE))
    assert (ran.code, "tocsin_" in ran.out) == (0, True), ran.err


def test_a_key_that_the_governance_key_delegates_counts_again(four: Readme) -> None:
    node = four.nodes.pop("venue")
    ran = four.shell(four.lines(KEEP))
    node.communicate(timeout=20)
    assert ran.code == 0, ran.err
    assert "attestation key version 2" in ran.out
    four.up("venue")
    four.meshed("venue", hears=4)
    words = ("alert", "raise", SUBJECT, "key-compromise", "GUARD", "--person")
    assert four.at("venue", *words, "cleo").code == 0
    assert four.at("issuer", *words, "anna", "--wait", "10s").code == 0
    assert four.level("lender-b", "key-compromise") == "GUARD"


def test_nothing_secret_stands_in_a_log(four: Readme) -> None:
    files = [*four.folder.glob("*/data/keys/*.key*"), *four.folder.glob("*/governance.key")]
    secrets = [json.loads(path.read_text())["secret"] for path in files]
    assert len(secrets) >= 16
    logs = "".join(path.read_text() for path in four.folder.glob("*/node.log"))
    assert logs
    assert not any(secret in logs for secret in secrets)
