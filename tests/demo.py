"""The main job on embedded defaults: `make demo`.

A git server, a registry and a stand-in for Argo CD run on the loopback interface; the example is
the repository, and the action runs as it would in a workflow. What is in `demo-output` stays, so
that a second run finds nothing to change; remove the folder to begin again.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.fakes.argocd import FakeArgoCD  # noqa: E402
from tests.systems.git_server import GitServer  # noqa: E402
from tests.systems.registry import crane_registry, static_base  # noqa: E402

OUTPUT = Path(os.environ.get("DEMO_OUTPUT", ROOT / "demo-output"))
EXAMPLE = ROOT / "examples" / "hello-gitops"
OVERLAY = "kustomize/overlays/dev"
KUSTOMIZATION = f"{OVERLAY}/kustomization.yaml"
REPOSITORY = "acme/hello-gitops"
ADDRESS = OUTPUT / "registry-address"
_TEMPLATE = """<!doctype html><meta charset="utf-8"><title>Job summary</title>
<style>body{{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}
table{{border-collapse:collapse;margin:1em 0}}td,th{{border:1px solid #ccc;padding:.3em .7em}}
body{{overflow-wrap:anywhere}}td,th{{overflow-wrap:break-word}}th{{text-align:left}}
pre,code{{background:#f4f4f4;font-size:13px}}pre{{padding:1em;overflow:auto}}
blockquote{{border-left:4px solid #c33;margin:0;padding:0 1em}}</style>
{body}"""


def main() -> int:
    """Run the demo and return the action's exit status."""
    with ExitStack() as systems:
        systems.enter_context(_alone())
        _forget_an_unfinished_start()
        registry = systems.enter_context(_registry())
        git = systems.enter_context(GitServer(OUTPUT / "git"))
        workspace = _workspace(git, registry)
        argocd = systems.enter_context(FakeArgoCD())
        argocd.add_application(
            "hello-gitops",
            repo_url=git.url(REPOSITORY),
            path=OVERLAY,
            target_revision="main",
            resolve=lambda branch: git.head(REPOSITORY, branch),
            images=lambda sha: [_asked_for(git.git(REPOSITORY, "show", f"{sha}:{KUSTOMIZATION}"))],
        )
        step = {
            "image": f"{registry}/{REPOSITORY}",
            # The example has a Dockerfile; ko needs no engine, so the demo runs everywhere.
            "builder": "ko",
            # Made anew each time, with the same digest: crane's registry keeps layers on disk, and
            # forgets what was pushed under which name.
            "base-image": static_base(registry),
            "kustomizations": OVERLAY,
            "github-token": git.token,
            "argocd-server": argocd.url,
            "argocd-token": argocd.token,
            "argocd-applications": "hello-gitops",
            "wait-timeout": "2m",
        }
        print("The step of the workflow:\n\n    - uses: OWNER/gitops-action@v1\n      with:")
        for name, value in step.items():
            print(f"        {name}: {'***' if name.endswith('token') else value}")
        print("\nIts log:\n", flush=True)
        status, result = _run(step, git, workspace)
    _render_summary()
    print(f"\nThe job summary is in {OUTPUT / 'summary.html'}, the repository in {workspace}.")
    if status == 0:
        print("Change a line of Go there, commit it, and run the demo again to see it promoted.")
    print(f"result={result}")
    return status


@contextmanager
def _alone() -> Iterator[None]:
    """Keep a second demo out of the same folder."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with (OUTPUT / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"Another demo runs in {OUTPUT}. Wait for its end, or set DEMO_OUTPUT.")
        yield


def _forget_an_unfinished_start() -> None:
    """Begin again where a part of an earlier run is missing: the others are of no use."""
    parts = (ADDRESS, OUTPUT / "git" / f"{REPOSITORY}.git" / "HEAD", OUTPUT / "workspace" / ".git")
    there = [part.exists() for part in parts]
    if any(there) and not all(there):
        print(f"{OUTPUT} is not complete: beginning again.\n")
    if not all(there):
        ADDRESS.unlink(missing_ok=True)
        for folder in ("git", "registry", "workspace"):
            shutil.rmtree(OUTPUT / folder, ignore_errors=True)


def _asked_for(kustomization: str) -> str:
    """The image that the kustomization asks for, as its pods run it."""
    name, tag = (
        re.search(rf"{field}: [\"']?([^\"'\s]+)", kustomization) for field in ("newName", "newTag")
    )
    return f"{name[1] if name else ''}:{tag[1] if tag else ''}"


@contextmanager
def _registry() -> Iterator[str]:
    """Serve a registry at the address of the first run, because the kustomization names it."""
    port = int(ADDRESS.read_text().rpartition(":")[2]) if ADDRESS.exists() else 0
    if port and not _free(port):
        sys.exit(
            f"Another program listens at 127.0.0.1:{port}, where the demo's registry was before. "
            f"End it, or remove {OUTPUT} and begin again."
        )
    with crane_registry(OUTPUT / "registry", port=port) as address:
        ADDRESS.write_text(address)
        yield address


def _free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _workspace(git: GitServer, registry: str) -> Path:
    """Check the example out as `actions/checkout` would; the first run makes its repository."""
    workspace = OUTPUT / "workspace"
    if workspace.exists():
        status = ["git", "-C", str(workspace), "status", "--porcelain"]
        if subprocess.run(status, check=True, capture_output=True).stdout:
            print(
                f"{workspace} has changes that are not committed: commit them to see a promotion, "
                "because the image's tag is the commit.\n"
            )
        return workspace
    files = {
        str(file.relative_to(EXAMPLE)): file.read_bytes()
        for file in sorted(EXAMPLE.rglob("*"))
        if file.is_file()
    }
    files[KUSTOMIZATION] = files[KUSTOMIZATION].replace(b"ghcr.io", registry.encode())
    git.create(REPOSITORY, files=files)
    subprocess.run(["git", "clone", "-q", git.path(REPOSITORY), workspace], check=True)
    return workspace


def _run(step: dict[str, str], git: GitServer, workspace: Path) -> tuple[int, str]:
    """Run the action as a workflow would, but on this machine."""
    summary = OUTPUT / "summary.md"
    summary.unlink(missing_ok=True)
    event = OUTPUT / "event.json"
    event.write_text(json.dumps({"repository": {"default_branch": "main"}}))
    sha = subprocess.run(
        ["git", "-C", workspace, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    env = {
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_SERVER_URL": git.address,
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_REF_NAME": "main",
        "GITHUB_SHA": sha,
        "GITHUB_RUN_ID": "1",
        "GITHUB_STEP_SUMMARY": str(summary),
    } | {f"INPUT_{name.upper()}": value for name, value in step.items()}
    action = subprocess.Popen(
        [sys.executable, ROOT / "entrypoint.py"],
        env={name: os.environ[name] for name in _MACHINE if name in os.environ}
        | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        | env,
        stdout=subprocess.PIPE,
        text=True,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # As a runner does: the action is told to end, and what it says then is waited for.
        signal.signal(number, lambda received, _: action.send_signal(received))
    result = "failed"
    assert action.stdout is not None
    for line in action.stdout:
        print(line, end="", flush=True)
        if line.startswith("result="):
            result = line.strip().removeprefix("result=")
    return action.wait(), result


# What this machine needs to reach its package registries.
_MACHINE = (
    *("PATH", "HOME", "TMPDIR", "GOPROXY", "GOFLAGS", "GOTOOLCHAIN", "GONOSUMDB", "GOSUMDB"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "no_proxy"),
)


def _render_summary() -> None:
    from markdown_it import MarkdownIt  # noqa: PLC0415  only once the action has run

    text = (OUTPUT / "summary.md").read_text() if (OUTPUT / "summary.md").exists() else ""
    body = MarkdownIt("commonmark").enable("table").render(text)
    (OUTPUT / "summary.html").write_text(_TEMPLATE.format(body=body))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Stopped before the action began.", file=sys.stderr)
        sys.exit(130)
