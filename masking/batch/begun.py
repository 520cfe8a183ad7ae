"""Which settings an output folder was begun with; a run with others is refused."""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path
from typing import Any

import orjson

from masking.batch.identity import category_digest, key_digest
from masking.batch.job import Job
from masking.batch.journal import write_whole
from masking.batch.rows import Settings
from masking.batch.source import STATE
from masking.core.errors import ConfigurationError

__all__ = ["Begun", "state_folder"]

_VERSION = 1


def state_folder(output: Path) -> Path:
    """The folder of the run's own files. Raises ConfigurationError for an output folder that is not ours."""
    state = output / STATE
    try:
        if output.exists() and not output.is_dir():
            raise ConfigurationError(f"the output {output} is a file; name a folder")
        if output.exists() and not state.is_dir() and any(output.iterdir()):
            raise ConfigurationError(
                f"the output folder {output} holds files that no `masking batch` has written; name a new or empty one"
            )
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(f"cannot write to {output}: {error.strerror}") from None
    return state


class Begun:
    """Which settings the output folder was begun with, and whether these are the same."""

    def __init__(self, job: Job, state: Path) -> None:
        self._job = job
        self._file = state / "run.json"
        self._key = state / "key"

    def settings(self) -> Settings:
        """The job's settings with the run's key. Raises ConfigurationError where the run was begun with others."""
        settings = self._job.settings
        if settings.vault and not settings.restore:
            _check_restorable(settings)
        known = self._known()
        if settings.restore:
            return self._same(known, settings)
        key = settings.key
        if not key:
            key = self._key.read_bytes() if self._key.exists() else b""
        if not key:
            if known is not None and settings.mapping != "irreversible" and not known.get("own_key"):
                return self._same(known, settings)  # enough to see that everything is done
            key = secrets.token_bytes(32)
            write_whole(self._key, key, mode=0o600)
        return self._same(known, dataclasses.replace(settings, key=key))

    def _same(self, known: dict[str, Any] | None, settings: Settings) -> Settings:
        own = self._described(settings)
        if known is not None and not settings.key and not settings.restore:
            own["key"] = known.get("key")
        if known is None:
            write_whole(self._file, orjson.dumps(own, option=orjson.OPT_INDENT_2))
        else:
            self._compare(known, own)
        return settings

    def _known(self) -> dict[str, Any] | None:
        try:
            known = orjson.loads(self._file.read_bytes())
        except FileNotFoundError:
            return None
        except orjson.JSONDecodeError:
            known = None
        if not isinstance(known, dict) or known.get("masking_batch") != _VERSION:
            raise ConfigurationError(f"{self._file} is not what this version writes; choose a new output folder")
        return known

    def _described(self, settings: Settings) -> dict[str, Any]:
        common = {
            "masking_batch": _VERSION,
            "mapping": settings.mapping,
            "vault": bool(settings.vault),
            "owner": settings.owner,
            "shape": self._job.shape,
            "conversation": settings.conversation,
            "format": self._job.format or "",
            "header": self._job.header,
        }
        if settings.restore:
            return {**common, "restored": True}
        category = settings.masker().category
        return {
            **common,
            "category": {
                "name": category.name,
                "version": category.version,
                "sha256": category_digest(category),
                "rules": len(category.rules),
            },
            "names": settings.names,
            "key": ""
            if settings.mapping == "irreversible" and not self._job.settings.key
            else key_digest(settings.key),
            "own_key": bool(self._job.settings.key),
            "text": list(settings.text),
            "opaque": list(settings.opaque),
        }

    def _compare(self, known: dict[str, Any], own: dict[str, Any]) -> None:
        for name, said in own.items():
            if known.get(name) == said:
                continue
            if name in ("key", "own_key"):
                raise ConfigurationError(
                    f"the key is not the one that {self._job.output} was begun with (fingerprint {known.get('key')}, "
                    f"this one {own['key']}); give that key, or choose a new output folder"
                )
            what = "the category's rules have" if name == "category" else f"--{name} has"
            raise ConfigurationError(
                f"{what} changed since {self._job.output} was begun: a folder is masked one way only; "
                "choose a new output folder"
            )


def _check_restorable(settings: Settings) -> None:
    """Raises ConfigurationError where a vault would be of no use."""
    if settings.mapping == "irreversible":
        raise ConfigurationError("irreversible placeholders cannot be restored: leave out --vault, or map otherwise")
    category = settings.masker().category
    fakes = [rule.id for rule in category.rules if rule.request.name == "surrogate"]
    if fakes:
        raise ConfigurationError(
            f"surrogates cannot be told from real values, so nothing could restore those of {', '.join(fakes)}: "
            "leave out --vault, or have these rules use placeholders"
        )
