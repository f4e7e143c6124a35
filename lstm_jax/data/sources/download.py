"""Examples at an address: the file is downloaded once, and then read like one of this machine."""

import http.client
import logging
import shutil
import ssl
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from lstm_jax.config import DataConfig
from lstm_jax.data.cache import Facts, cached_file, renewing
from lstm_jax.errors import UserError
from lstm_jax.files import digest, file_digest

_log = logging.getLogger(__name__)

ANSWER_SECONDS = 60  # Time without a byte after which a download has failed.


def downloaded(config: DataConfig) -> tuple[Path, dict[str, Any]]:
    """The file at ``config.url``, from the cache if it was downloaded before.

    The file keeps the last part of the address as its name, whose ending names the format. An incomplete download is
    never kept. If the cached file is not the one of ``config.sha256``, it is downloaded again.

    Returns:
      The path of the file, and its ``url``, ``size`` in bytes and ``sha256``.

    Raises:
      UserError: The address cannot be read, the download breaks off, or the file is not the one of ``config.sha256``.
    """
    name = PurePosixPath(unquote(urlsplit(config.url).path)).name.replace("..", "") or "download"
    place, wanted = f"downloads/{digest(config.url)}/{name}", config.sha256.lower()

    def fetch(part: Path) -> Facts:
        _log.info("downloading %s", config.url)
        _fetch(config.url, part)
        facts = {"url": config.url, "size": part.stat().st_size, "sha256": file_digest(part)}
        if wanted and facts["sha256"] != wanted:
            raise UserError(
                f"the file at {config.url} has the SHA-256 {facts['sha256']}, not {wanted}, which config.data.sha256 "
                "or the run demands; restore that file, or start a new run with the other one"
            )
        return facts

    path, facts = cached_file(place, fetch)
    if wanted and facts["sha256"] != wanted:
        with renewing(True):
            path, facts = cached_file(place, fetch)
    return path, facts


def _fetch(url: str, part: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file)
            stated = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        raise UserError(f"{url} cannot be downloaded: the server answered {error.code} {error.reason}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        raise UserError(f"{url} cannot be downloaded: {getattr(error, 'reason', None) or error}") from error
    if stated is not None and part.stat().st_size != int(stated):
        raise UserError(
            f"{url} broke off after {part.stat().st_size:,} of {int(stated):,} bytes; run the command again"
        )
