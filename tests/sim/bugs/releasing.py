"""Bugs in ending: releases, and what ends with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from node.machine import actions, views
from protocol import release
from protocol.release import Releases
from tests.sim.bugs.plant import Bug, edited, instead, together


@contextmanager
def _by_certificate_hash() -> Iterator[None]:
    """What is released is a certificate's digest: the one that is held when the quorum is reached."""
    gone: set[bytes] = set()
    stands, lift_released = views.stands, actions.lift_released

    def released(step: Any, topic: Any) -> None:
        lift_released(step, topic)
        if step.state.releases.point_ms(topic):
            gone.update(one.digest for one in step.state.certificates.values() if one.certificate.topic == topic)

    with together(
        instead(Releases, "covers", lambda self, attestation, epoch: False),
        instead(Releases, "covers_claims", lambda self, topic, names, epoch: False),
        instead(views, "stands", lambda state, held, now_ms: held.digest not in gone and stands(state, held, now_ms)),
        instead(actions, "lift_released", released),
    ):
        yield


BUGS = (
    Bug(
        "release-by-certificate-hash",
        "a release ends one certificate: its siblings restrict again",
        _by_certificate_hash,
        needs=("releases",),
    ),
    Bug(
        "release-by-f-plus-one",
        "f + 1 groups reach a release point: starting is no longer cheaper than ending",
        lambda: together(
            edited(
                release,
                "_point",
                ("ranked[epoch.q - 1] if len(ranked) >= epoch.q", "ranked[epoch.f] if len(ranked) > epoch.f"),
            ),
        ),
        needs=("releases",),
    ),
    Bug(
        "release-point-off-by-one",
        "the point is the (Q - 1)-th greatest: counted from one, indexed from nought",
        lambda: edited(release, "_point", ("ranked[epoch.q - 1]", "ranked[epoch.q - 2]")),
        needs=("releases",),
    ),
    Bug(
        "one-seat-releases-for-its-group",
        "a group has released what any of its seats has",
        lambda: edited(release, "_point", ("min(said,", "max(said,")),
        members=(4, 5),
        needs=("releases",),
    ),
    Bug(
        "claims-released-by-f-plus-one",
        "claims are released for good by f + 1 groups",
        lambda: together(
            edited(Releases, "add", ("_groups_of(told, epoch) >= epoch.q", "_groups_of(told, epoch) > epoch.f")),
            edited(Releases, "covers_claims", (">= epoch.q", "> epoch.f")),
        ),
        needs=("releases",),
    ),
    Bug(
        "first-release-lifts",
        "every Release lifts, whether a quorum has reached a point or not",
        lambda: edited(actions, "lift_released", ("action.rests_ms <= state.releases.point_ms(topic)", "True")),
        needs=("releases",),
    ),
    Bug(
        "release-lifts-for-another-threat",
        "a release of one threat lifts what stands on the subject for any",
        lambda: edited(
            actions, "lift_released", ("(action.subject, action.threat) != topic", "action.subject != topic[0]")
        ),
        needs=("releases",),
        unseen="A quorum of operators must release the wrong threat while a lever stands: about one seed in a thousand",
    ),
)
