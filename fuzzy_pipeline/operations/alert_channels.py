"""Delivering alerts: webhook, e-mail, log.

Belongs here: payloads and transport. Whatever goes wrong is a ``DeliveryError`` in our own words: texts of libraries
name addresses, and the webhook's address is a secret. So it is raised outside of handlers, without what came before.
"""

from __future__ import annotations

import html
import http.client
import ipaddress
import json
import logging
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Literal
from urllib.parse import urlsplit

from fuzzy_pipeline.alert_settings import AlertSettings
from fuzzy_pipeline.errors import FuzzyError
from fuzzy_pipeline.operations.alerts import Alert

LOG = logging.getLogger(__name__)

Channel = Literal["webhook", "email"]

CHANNELS: tuple[Channel, ...] = ("webhook", "email")

_CARD = "application/vnd.microsoft.card.adaptive"
_CARD_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
_CARD_VERSION = "1.2"


class DeliveryError(FuzzyError):
    """An alert could not be delivered; the message holds no address and no secret."""


def channels_of(chosen: AlertSettings) -> tuple[Channel, ...]:
    """Channels that the settings switch on, the log aside."""
    on = {"webhook": bool(chosen.webhook_url.get_secret_value()), "email": bool(chosen.smtp_host or chosen.email_to)}
    return tuple(channel for channel in CHANNELS if on[channel])


def channel_problems(chosen: AlertSettings) -> list[str]:
    """What in the settings keeps a channel from working; empty when nothing does. No secret is in the words."""
    return [problem for channel in channels_of(chosen) for problem in _problems(channel, chosen)]


def _problems(channel: Channel, chosen: AlertSettings) -> list[str]:
    if channel == "webhook":
        fine = _is_web_address(chosen.webhook_url.get_secret_value())
        return [] if fine else ["FUZZY_ALERTS__WEBHOOK_URL is no http or https address"]
    in_the_clear = chosen.smtp_security == "none" and _has_login(chosen) and not _is_this_machine(chosen.smtp_host)
    found = {
        "e-mail needs FUZZY_ALERTS__SMTP_HOST": not chosen.smtp_host,
        "e-mail needs FUZZY_ALERTS__EMAIL_TO": not chosen.email_to,
        "FUZZY_ALERTS__SMTP_SECURITY=none would send the password in the clear: use starttls or tls": in_the_clear,
    }
    return [problem for problem, is_so in found.items() if is_so]


def log_alert(alert: Alert) -> None:
    """Write the alert to the log: always done, whatever else is configured."""
    LOG.log(logging.INFO if alert.kind == "recovered" else logging.ERROR, "alert: %s", alert)


def deliver(alert: Alert, channel: Channel, chosen: AlertSettings) -> None:
    """Send an alert through a channel.

    Raises
    ------
    DeliveryError
        It did not arrive, or the channel is not configured as it must be.
    """
    problems = _problems(channel, chosen)
    if problems:
        raise DeliveryError("; ".join(problems))
    why = _attempt(lambda: _SENDERS[channel](alert, chosen))
    if why:
        raise DeliveryError(f"{channel}: {why}")


def _attempt(send: Callable[[], None]) -> str:
    """Why sending failed, empty when it did not: codes and kinds only, never what a library says in full."""
    try:
        send()
    except urllib.error.HTTPError as error:
        error.close()
        return f"the server answered {error.code}"
    except urllib.error.URLError as error:
        return _kind(error.reason) if isinstance(error.reason, OSError) else "the address cannot be used"
    except smtplib.SMTPResponseException as error:
        return f"{type(error).__name__}, code {error.smtp_code}"
    except (OSError, http.client.HTTPException, ValueError) as error:  # SMTPException is an OSError
        return _kind(error)
    return ""


def _kind(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message}"
    said = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


# -- webhook ---------------------------------------------------------------------------


def webhook_body(alert: Alert, form: Literal["slack", "teams"]) -> dict[str, Any]:
    """The alert as Slack's incoming webhooks take it, or as an Adaptive Card for the Workflows of Teams."""
    if form == "slack":
        headline, *lines = (html.escape(line, quote=False) for line in (alert.headline, *alert.lines))
        return {"text": "\n".join([f"*{_mark(alert)} {headline}*", *lines])}
    color = "Good" if alert.kind == "recovered" else "Attention"
    head = {"type": "TextBlock", "text": alert.headline, "weight": "Bolder", "color": color, "wrap": True}
    blocks = [{"type": "TextBlock", "text": line, "wrap": True, "spacing": "Small"} for line in alert.lines]
    card: dict[str, Any] = {
        "$schema": _CARD_SCHEMA, "type": "AdaptiveCard", "version": _CARD_VERSION, "body": [head, *blocks],
    }  # fmt: skip
    if alert.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open the run", "url": alert.link}]
    return {"type": "message", "attachments": [{"contentType": _CARD, "contentUrl": None, "content": card}]}


def _mark(alert: Alert) -> str:
    return "✔" if alert.kind == "recovered" else "✘"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected alert would be lost: urllib turns the POST into a GET without a body."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nowhere: the answer counts as a failure."""


def _send_webhook(alert: Alert, chosen: AlertSettings) -> None:
    body = json.dumps(webhook_body(alert, chosen.webhook_format)).encode()
    request = urllib.request.Request(
        chosen.webhook_url.get_secret_value(),
        data=body,
        headers={"Content-Type": "application/json", "User-Agent": "fuzzy-pipeline"},
        method="POST",
    )
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=chosen.timeout_s) as reply:
        reply.read(1)


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


# -- e-mail ----------------------------------------------------------------------------


def email_of(alert: Alert, chosen: AlertSettings) -> EmailMessage:
    """The alert as a plain-text message."""
    message = EmailMessage()
    message["Subject"] = f"fuzzy: {alert.headline}"
    message["From"] = chosen.email_from or chosen.email_to[0]
    message["To"] = ", ".join(chosen.email_to)
    message["Date"] = formatdate(alert.raised_at.timestamp())
    message["Message-ID"] = make_msgid(domain="fuzzy-pipeline.invalid")
    message.set_content(str(alert))
    return message


def _send_email(alert: Alert, chosen: AlertSettings) -> None:
    context = ssl.create_default_context()
    place = {"host": chosen.smtp_host, "port": chosen.smtp_port, "timeout": chosen.timeout_s}
    with _smtp(place, context, encrypted=chosen.smtp_security == "tls") as server:
        if chosen.smtp_security == "starttls":
            server.starttls(context=context)
        if _has_login(chosen):
            server.login(chosen.smtp_user.get_secret_value(), chosen.smtp_password.get_secret_value())
        server.send_message(email_of(alert, chosen))


def _smtp(place: Mapping[str, Any], context: ssl.SSLContext, *, encrypted: bool) -> smtplib.SMTP:
    return smtplib.SMTP_SSL(**place, context=context) if encrypted else smtplib.SMTP(**place)


def _has_login(chosen: AlertSettings) -> bool:
    return bool(chosen.smtp_user.get_secret_value() or chosen.smtp_password.get_secret_value())


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_SENDERS: Mapping[Channel, Callable[[Alert, AlertSettings], None]] = {"webhook": _send_webhook, "email": _send_email}
