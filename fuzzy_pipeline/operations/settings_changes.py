"""Changes of settings in the audit log, without secrets.

Belongs here: which values may be written down, and noting that a run began with other settings than the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fuzzy_pipeline.operations.audit import AuditLog
from fuzzy_pipeline.operations.audit_chain import AuditEntry
from fuzzy_pipeline.settings import Settings

SETTINGS_CHANGED = "settings.changed"
MASK = "***"

_SECRET_NAME = re.compile(
    r"secret|passw|token|credential|private|signature|dsn|webhook_url|api_?key|access_?key|account_?key|(^|_)(key|auth|sas)$",
    re.IGNORECASE,
)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://\S*")
_PLAIN_OPTIONS = frozenset({"port", "region", "path_prefix", "map_size", "use_virtual_addressing", "ssl", "https"})
"""Options of a URI that are shown; every other one is taken for a secret."""


def note_settings(settings: Settings, log: AuditLog | None = None) -> AuditEntry | None:
    """Record the settings when they differ from those recorded last; None when they do not.

    Call it when a run begins. Keys, passwords and tokens are masked before anything is compared or written, so a
    change of nothing but a secret is not seen.

    Raises
    ------
    StoreError
        The audit log cannot be written.
    """
    log = log or AuditLog.of(settings)
    return log.record_state(SETTINGS_CHANGED, {"home": str(settings.home)}, shown_settings(settings))


def shown_settings(settings: Settings) -> dict[str, Any]:
    """Every setting by the name of its variable, secrets masked; a light path that is the home's own is none."""
    values = settings.model_dump(mode="json")
    if settings.light_path.absolute() == settings.home / "store" / "light":
        # Named or left out, it is the same place: naming it is no change.
        values["store"]["light_path"] = None
    return dict(_flat(values, "FUZZY_"))


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        variable = f"{prefix}{str(name).upper()}"
        if isinstance(value, dict):
            yield from _flat(value, f"{variable}__")
        else:
            yield variable, masked(variable, value)


def masked(name: str, value: Any) -> Any:
    """A value without its secrets: all of it under a name that tells of one, else what URIs in it hold.

    Examples
    --------
    >>> masked("FUZZY_ALERTS__TOKEN", "abc"), masked("FUZZY_CHUNK_TICKS", 5)
    ('***', 5)
    >>> masked("FUZZY_STORE__HEAVY_URI", "s3://host:bucket?port=9000&access=me&secret=abc")
    's3://host:bucket?port=9000&access=***&secret=***'
    """
    if isinstance(value, list | tuple):
        return [masked(name, each) for each in value]
    if isinstance(value, dict):
        return {key: masked(f"{name}__{key}", each) for key, each in value.items()}
    if value is None or value == "" or isinstance(value, bool):
        return value
    if _SECRET_NAME.search(name.rpartition("__")[2].removeprefix("FUZZY_")):
        return MASK
    return _URI.sub(lambda found: _masked_uri(found[0]), value) if isinstance(value, str) else value


def _masked_uri(uri: str) -> str:
    """A URI without user, keys and unknown options; of a web address only the host, since paths hold tokens too."""
    scheme, _, rest = uri.partition("://")
    place, mark, options = rest.partition("?")
    user, at, host = place.rpartition("@")
    place = f"{MASK}{at}{host}" if user else place
    if scheme.lower() in ("http", "https"):
        host, slash, path = place.partition("/")
        return f"{scheme}://{host}{slash}{MASK if path or mark else ''}"
    if ";" in place or "=" in place:  # a connection string such as Azure's
        place = ";".join(_masked_option(part) for part in place.split(";"))
    return f"{scheme}://{place}{mark}{'&'.join(_masked_option(part) for part in options.split('&'))}"


def _masked_option(option: str) -> str:
    name, mark, _ = option.partition("=")
    return option if not mark or name.lower() in _PLAIN_OPTIONS else f"{name}={MASK}"
