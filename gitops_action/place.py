"""Where a run happens: the folders that it works in, and what its children may see."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitops_action.errors import RunnerError
from gitops_action.inputs import Inputs
from gitops_action.model.environment import NETWORK

# In the image, and only there, with programs that every user can run. The same path in every run,
# because Go's cache knows a test by its path.
VERIFY = Path("/verify")
KO_CACHE = VERIFY / "go-build-ko"
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the run happens.

    `base` is what every child may see; `env` is the whole environment of the step, of which an
    adapter hands on the names that it lists.
    """

    workspace: Path
    private: Path
    env: Mapping[str, str]
    base: Mapping[str, str]

    def folder(self, name: str) -> Path:
        """Make a folder that only we can enter."""
        folder = self.private / name
        folder.mkdir(mode=0o700)
        return folder


def base_environment(env: Mapping[str, str], private: Path, inputs: Inputs) -> dict[str, str]:
    """What every child may know: where programs are, a home of its own, and the way out."""
    home = private / "home"
    home.mkdir()
    base = {name: env[name] for name in NETWORK if env.get(name)}
    base |= {
        "PATH": env.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(private),
        "LANG": "C.UTF-8",
    }
    if inputs.ca_certificates:
        system = Path(env.get("SSL_CERT_FILE") or SYSTEM_CERTIFICATES)
        trusted = private / "ca-certificates.pem"
        known = system.read_text() if system.is_file() else ""
        trusted.write_text(f"{known}\n{inputs.ca_certificates}\n")
        base["SSL_CERT_FILE"] = str(trusted)
    if "SSL_CERT_FILE" in base:
        base["GIT_SSL_CAINFO"] = base["SSL_CERT_FILE"]
    return base


def _in_image() -> bool:
    return os.geteuid() == 0 and VERIFY.is_dir()


def kept_caches(env: Mapping[str, str]) -> Path | None:
    """Where `actions/cache` can find what the next job may need; nowhere outside a runner."""
    temporary = env.get("RUNNER_TEMP")
    return Path(temporary, "gitops-action") if temporary and _in_image() else None


@contextmanager
def verify_folder() -> Iterator[Path]:
    """A folder that the user of the tests can pass through; ours in the image, else a new one."""
    if _in_image():
        yield VERIFY
        return
    folder = Path(tempfile.mkdtemp(prefix="gitops-action-verify-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def folder_of(user: int) -> Iterator[tuple[Path, int | None]]:
    """A folder for what runs as another user in the image, and as the caller (None) elsewhere."""
    isolated = _in_image()
    folder = Path(tempfile.mkdtemp(prefix="gitops-action-", dir=VERIFY if isolated else None))
    try:
        yield folder, user if isolated else None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only we can enter: credentials and clones are gone with it."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="gitops-action-"))
    except OSError as error:
        raise RunnerError(
            f"No temporary folder could be made: {error.strerror}.",
            hint="Look at the runner's disk space.",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
