"""The charter as a file: every field read with its place and its cure, written so that people can read it aloud."""

from __future__ import annotations

from collections.abc import Iterable

from governance.card import ADDRESSES_MAX, Card
from governance.durations import format_duration
from governance.faults import CharterFaults, FileFault
from governance.genesis import CHARTER_VERSION, Charter, Contact, Parameters, found, signed
from governance.reading import TableReader, read_toml
from governance.writing import comment, lines_of, table, tables
from protocol.crypto import Signer
from protocol.ids import GroupName, MemberName, PublicKey, SourceId
from protocol.limits import ENTRY_BYTES_MAX, LABEL_CHARS_MAX, MEMBERS_MAX
from protocol.membership import COUNTED, Bridge, Member, OracleFeed, Source
from protocol.messages import KeySet

CHARTER_CHARS_MAX = 4 * 1024 * 1024
"""256 members at about 3 KiB each (row, signature, KeySet, addresses), sources and contracts, with room."""
SOURCES_MAX = 1024
CONTRACTS_MAX = 256
REFERENCES_MAX = 8
KEYSETS_MAX = 2 * MEMBERS_MAX
_OUTSIDE = """
Outside the id: signatures, first KeySets and addresses. Changing these makes no other network."""


def create(cards: Iterable[Card], parameters: Parameters) -> str:
    """The text of an unsigned charter."""
    return write(found(cards, parameters))


def sign(text: str, member: MemberName, governance: Signer, keyset: KeySet) -> str:
    """The text with the founder's signature and sealed KeySet; CharterFaults or ProtocolError."""
    return write(signed(parse(text), member, governance, keyset))


def parse(text: str) -> Charter:
    """CharterFaults with every fault of form. What it says is judged by `governance.checking.check`."""
    if len(text) > CHARTER_CHARS_MAX:
        raise CharterFaults([FileFault(f"is over {CHARTER_CHARS_MAX} characters", "", "this is no charter")])
    document, faults = read_toml(text)
    if not faults:
        charter = _read(TableReader(document, "", faults))
    if faults:
        raise CharterFaults(faults)
    return charter


def _read(reader: TableReader) -> Charter:
    if reader.unsigned("charter", CHARTER_VERSION) not in (0, CHARTER_VERSION):
        reader.fault("charter", "is of a version unknown here", f"write charter = {CHARTER_VERSION}, or upgrade tocsin")
    charter = Charter(
        parameters=_read_parameters(reader),
        members=tuple(sorted(map(_read_member, reader.tables("member", MEMBERS_MAX)), key=lambda one: one.name)),
        founders=_read_founders(reader),
        sealed=tuple(_read_keyset(row) for row in reader.tables("keyset", KEYSETS_MAX)),
        contacts=tuple(map(_read_contact, reader.tables("contact", MEMBERS_MAX))),
    )
    reader.done()
    return charter


def _read_parameters(reader: TableReader) -> Parameters:
    thresholds, lease = reader.table("thresholds"), reader.table("lease")
    delay, seat = reader.table("delay"), reader.table("seat")
    parameters = Parameters(
        name=reader.text("network", "restaking-watch", 64),
        created_ms=reader.unsigned("created_ms", 1_767_225_600_000),
        formulas={level: thresholds.text(level.name.lower(), "max(2, f + 1)", 64) for level in COUNTED},
        lease_ms={level: lease.duration_ms(level.name.lower(), "1h") for level in COUNTED},
        change_delay_ms=delay.duration_ms("change", "3d"),
        loosen_delay_ms=delay.duration_ms("loosen", "7d"),
        seat_term_ms=seat.duration_ms("term", "365d"),
        silence_ms=seat.duration_ms("silence", "3d"),
        sources=tuple(map(_read_source, reader.tables("source", SOURCES_MAX))),
        bridges=tuple(map(_read_bridge, reader.tables("bridge", CONTRACTS_MAX))),
        oracles=tuple(map(_read_oracle, reader.tables("oracle", CONTRACTS_MAX))),
    )
    for inner in (thresholds, lease, delay, seat):
        inner.done()
    return parameters


def _read_member(row: TableReader) -> Member:
    name = row.name("name")
    group = row.name("group") if row.has("group") else name
    member = Member(MemberName(name), GroupName(group), PublicKey(row.raw("governance", 32, 32)))
    row.done()
    return member


def _read_source(row: TableReader) -> Source:
    source = Source(
        SourceId(row.text("id", "node-a", LABEL_CHARS_MAX)),
        row.text("operator", "lender-a", LABEL_CHARS_MAX),
        row.text("scope", "eip155:1", LABEL_CHARS_MAX),
    )
    row.done()
    return source


def _read_bridge(row: TableReader) -> Bridge:
    bridge = Bridge(
        asset=row.subject("asset", "eip155:1/erc20:0xa129…"),
        home=row.chain("home"),
        escrow=row.raw("escrow", 20, 20),
        far=row.chain("far"),
        twin=row.raw("twin", 20, 20),
    )
    row.done()
    return bridge


def _read_oracle(row: TableReader) -> OracleFeed:
    oracle = OracleFeed(
        subject=row.subject("subject", "oracle:eip155:1:0x5f4e…"),
        chain=row.chain("chain"),
        feed=row.raw("feed", 20, 20),
        references=row.raws("references", 20, REFERENCES_MAX),
    )
    row.done()
    return oracle


def _read_founders(reader: TableReader) -> dict[MemberName, bytes]:
    founders: dict[MemberName, bytes] = {}
    for row in reader.tables("founder", MEMBERS_MAX):
        member = MemberName(row.name("member"))
        if member in founders:
            row.fault("member", f"{member} signs twice", "keep one [[founder]] of each member")
        founders[member] = row.raw("signature", 64, 64)
        row.done()
    return founders


def _read_keyset(row: TableReader) -> bytes:
    sealed = row.raw("sealed", 1, ENTRY_BYTES_MAX)
    row.done()
    return sealed


def _read_contact(row: TableReader) -> Contact:
    contact = Contact(MemberName(row.name("member")), row.texts("addresses", "/ip4/192.0.2.1/tcp/4001", ADDRESSES_MAX))
    row.done()
    return contact


def write(charter: Charter) -> str:
    """`parse(write(charter)) == charter`, up to the order of members."""
    inside = charter.parameters
    return "".join(
        (
            f"# Tocsin charter. Network id: {charter.network.hex()}\n"
            "# Everything down to the line that says so is inside the id: one changed character is another network.\n",
            lines_of({"charter": CHARTER_VERSION, "network": inside.name, "created_ms": inside.created_ms}),
            table("thresholds", {level.name.lower(): inside.formulas[level] for level in COUNTED}),
            table("lease", {level.name.lower(): format_duration(inside.lease_ms[level]) for level in COUNTED}),
            table(
                "delay",
                {
                    "change": format_duration(inside.change_delay_ms),
                    "loosen": format_duration(inside.loosen_delay_ms),
                },
            ),
            table(
                "seat",
                {"term": format_duration(inside.seat_term_ms), "silence": format_duration(inside.silence_ms)},
            ),
            _write_members(charter),
            _write_register(inside),
            comment(_OUTSIDE.strip()),
            _write_outside(charter),
        )
    )


def _write_members(charter: Charter) -> str:
    return tables(
        "member",
        [{"name": m.name, "group": m.group, "governance": m.governance_key.hex()} for m in charter.members],
    )


def _write_register(inside: Parameters) -> str:
    sources = [{"id": s.id, "operator": s.operator, "scope": s.scope} for s in inside.sources]
    bridges = [
        {
            "asset": str(one.asset),
            "home": one.home,
            "escrow": "0x" + one.escrow.hex(),
            "far": one.far,
            "twin": "0x" + one.twin.hex(),
        }
        for one in inside.bridges
    ]
    oracles = [
        {
            "subject": str(one.subject),
            "chain": one.chain,
            "feed": "0x" + one.feed.hex(),
            "references": ["0x" + reference.hex() for reference in one.references],
        }
        for one in inside.oracles
    ]
    return tables("source", sources) + tables("bridge", bridges) + tables("oracle", oracles)


def _write_outside(charter: Charter) -> str:
    founders = [{"member": name, "signature": raw.hex()} for name, raw in sorted(charter.founders.items())]
    contacts = [{"member": one.member, "addresses": one.addresses} for one in charter.contacts]
    keysets = [{"sealed": raw.hex()} for raw in charter.sealed]
    return tables("contact", contacts) + tables("founder", founders) + tables("keyset", keysets)
