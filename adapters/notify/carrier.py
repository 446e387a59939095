"""The only importer of apprise: an address of a service, and one blocking call that carries a letter there.

The address is the secret (a password, a webhook's path, a bot's token), so nothing of the library is logged: its lines
and those of what it stands on name addresses.
"""

from __future__ import annotations

import ipaddress
import logging
from typing import Any

from adapters.notify.letter import Letter

SCHEMES = ("mailto", "mailtos", "slack", "tgram", "pagerduty")
ADDRESS_BYTES_MAX = 2_000
WIRE_S_MAX = 4.0
"""To connect, and again to be answered."""
ENCRYPTED = ("ssl", "starttls")
"""Of mail; Slack, Telegram and PagerDuty are spoken to in no other way."""
_LOGGERS = ("apprise", "urllib3", "requests", "markdown")


class CarrierFault(Exception):
    """In words that do not show the address."""


class Carrier:
    def __init__(self, plugin: Any, types: tuple[Any, Any]) -> None:
        self._plugin, self._types = plugin, types

    def __repr__(self) -> str:
        return "<carrier>"

    def carry(self, letter: Letter) -> bool:
        """Blocks for some seconds. Whether the service took it; why not, the library says in its log alone."""
        failure, warning = self._types
        kind = failure if letter.urgent else warning
        return bool(self._plugin.notify(body=letter.text, title=letter.title, notify_type=kind, body_format="text"))


def carrier(raw: bytes) -> Carrier:
    """Of an address as it stands in its file, one line."""
    try:
        address = raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise CarrierFault("is not UTF-8") from None
    scheme = address.partition("://")[0].lower()
    if len(raw) > ADDRESS_BYTES_MAX or len(address.split()) != 1 or scheme not in SCHEMES:
        raise CarrierFault(f"must be one line that begins with one of {', '.join(f'{one}://' for one in SCHEMES)}")
    return _made(address)


def _made(address: str) -> Carrier:
    _quiet()
    try:
        import apprise
    except ImportError:
        raise CarrierFault("needs what is not installed: pip install 'tocsin[notify]'") from None
    asset = apprise.AppriseAsset(
        app_id="Tocsin",
        app_desc="Tocsin",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        secure_logging=True,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    plugin = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    if plugin is None:
        raise CarrierFault("is no whole address of its kind")
    if not plugin.verify_certificate:
        raise CarrierFault("must not say verify=no: whoever stands between would read it")
    if hasattr(plugin, "smtp_host") and not (plugin.secure_mode in ENCRYPTED or _here(plugin.smtp_host)):
        raise CarrierFault("must be mailtos:// unless the server is an address of this machine")
    # as it stands: made into HTML or Markdown, lines run together and what others wrote becomes marks
    plugin.notify_format = apprise.NotifyFormat.TEXT
    plugin.socket_connect_timeout = plugin.socket_read_timeout = WIRE_S_MAX
    return Carrier(plugin, (apprise.NotifyType.FAILURE, apprise.NotifyType.WARNING))


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _quiet() -> None:
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
