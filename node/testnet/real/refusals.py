"""What the short words mean with which contracts of others refuse, for people who read a story."""

from __future__ import annotations

MEANS = {
    "27": "the reserve is not active",
    "28": "the reserve is frozen",
    "29": "the reserve is paused",
    "34": "no collateral counts",
    "36": "the collateral does not cover it",
    "50": "above the borrow cap",
    "51": "above the supply cap",
    "57": "an asset without LTV is posted",
    "CH_NEFCI": "not enough margin",
    "EX_MIP": "the market is halted",
    "EX_OPB": "too far off the index",
    "EX_OPLAS": "too far at once",
    "V_GTDC": "above what may be deposited in all",
    "V_NEFC": "not enough of it is free",
}
"""Aave v3.0's numbers and Perpetual Protocol's words: the names that their sources give them."""


def in_words(why: str) -> str:
    return f"{MEANS[why]} ({why})" if why in MEANS else why
