"""Notices to people by mail, Slack, Telegram and PagerDuty. `carrier` alone imports apprise, which is optional."""
