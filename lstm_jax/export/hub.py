"""Models on the Hugging Face Hub: pushing an exported run, and pulling one to load it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, get_token, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

import lstm_jax
from lstm_jax.config import is_hub_name
from lstm_jax.data.sources.hub import offline_if_unreachable
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.export.folder import MANIFEST, read_manifest
from lstm_jax.export.safetensors import OF_A_RUN

# The files that are downloaded. None of them is code, and none is ever unpickled.
PULLED = ("config.json", "data.json", "tokenizer.json", "model.safetensors", "model-lane*.safetensors", *OF_A_RUN)

STATUS = {
    401: "the Hub does not accept the token; log in by hf auth login, or set HF_TOKEN",
    403: "the token has no right to do that; make a token with the right to write to this owner's repositories",
}


def push(folder: Path, repository: str, private: bool = True) -> str:
    """Uploads an exported run in one commit, and returns the address of the repository.

    The repository is created if it does not exist. The token is that of ``hf auth login`` or of ``HF_TOKEN``.

    Args:
      folder: A folder that ``export_safetensors`` wrote. The files of its manifest are uploaded, and nothing else.
      repository: ``OWNER/NAME``.
      private: Whether the repository is private.

    Raises:
      ConfigError: The name has another form, or the folder holds no export.
      UserError: There is no token or it has no right, the Hub cannot be reached, or the repository exists and is public
        though a private one is asked for, or the other way round.
    """
    _check_name(repository, repository)
    if not (names := sorted(read_manifest(folder)["files"])):
        raise ConfigError(f"{folder} holds no {MANIFEST}, so it is no export; export the run first")
    if get_token() is None:
        raise UserError(f"there is no token to push to {repository} with; log in by hf auth login, or set HF_TOKEN")
    api = HfApi(library_name="lstm_jax", library_version=lstm_jax.__version__)
    with _explained(repository):
        api.create_repo(repository, private=private, exist_ok=True)
        if api.model_info(repository).private != private:
            state, remedy = ("public", "add --public") if private else ("private", "leave out --public")
            raise UserError(f"{repository} exists already and is {state}; {remedy}, or change that in its settings")
        files = [CommitOperationAdd(name, folder / name) for name in names]
        api.create_commit(repository, files, commit_message=f"Model of lstm_jax {lstm_jax.__version__}")
    return f"{api.endpoint}/{repository}"


def pull(name: str) -> Path:
    """Downloads a model, unless the Hub's cache has it, and returns its folder, which is loaded like a run's.

    Args:
      name: ``hub:OWNER/NAME``, or ``hub:OWNER/NAME@REVISION`` with a branch, a tag or a commit.

    Raises:
      ConfigError: The name has another form.
      UserError: There is no such model or revision, or the Hub cannot be reached and the model is not cached.
    """
    repository, _, revision = name.removeprefix("hub:").partition("@")
    _check_name(repository, name)
    with _explained(name):
        folder = Path(snapshot_download(repository, revision=revision or None, allow_patterns=list(PULLED)))
    if not (folder / "config.json").exists() or not any(folder.glob("model*.safetensors")):
        raise UserError(f"{name} holds no config.json with model.safetensors, so it is no model that lstm_jax pushed")
    return folder


def _check_name(repository: str, shown: str) -> None:
    if not is_hub_name(repository):
        raise ConfigError(f"{shown!r} is not the name of a model on the Hub; names look like OWNER/NAME")


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Raises the errors of the Hub's client as one line that says what to do."""
    try:
        with offline_if_unreachable():
            yield
    except UserError:
        raise
    except RevisionNotFoundError:
        raise UserError(f"{name}: there is no such revision; give a branch, a tag or a commit of it") from None
    except RepositoryNotFoundError:
        raise UserError(
            f"{name}: there is no such repository, or the token may not see it; correct the name, or log in by "
            "hf auth login"
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise UserError(f"{name}: {STATUS.get(status, f'the Hub answers with status {status}; try again')}") from error
    except Exception as error:  # The exception types depend on the versions of the Hub's client and its HTTP library.
        offline = isinstance(error, OfflineModeIsEnabled | EntryNotFoundError)
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        what = "the Hub cannot be reached, and its cache lacks the model" if offline else "the Hub's client failed"
        raise UserError(
            f"{name}: {what} ({reason}); check the connection and HF_HUB_OFFLINE, then try again"
        ) from error
