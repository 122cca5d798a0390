"""`kustomize build` on a private copy: offline, without plugins, without rights."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from gitops_action.adapters.isolation import as_user, make_folder, own_tree, remove_tree
from gitops_action.adapters.process import Processes
from gitops_action.errors import RunnerError
from gitops_action.model.rendering import Rendering, Sources

# Neither the tests' user nor the build's, who run code of the repository at the same time.
RENDER_USER = 65533
_SECONDS = 30.0
_LONGEST_OUTPUT = 32 * 1024 * 1024
_LONGEST_LINE = 1024 * 1024
_LONGEST_REASON = 400
_REMEMBERED = 64
# A proxy that is not there: what is not git's goes through it. Go asks loopback addresses without
# one; a kustomization that names one is not rendered.
_NOWHERE = "http://127.0.0.1:1"

# The second is said of a kustomization that is a symbolic link out of its folder, too.
_RESTRICTED = ("security; file ", "unable to find one of")
_REMOTE = "it reads {0} from elsewhere, and nothing is fetched here"
# What Kustomize says where we, and not the kustomization, are in the way.
_HERE = (
    (re.compile(r"no 'git' program on path"), _REMOTE),
    (re.compile(r"proxyconnect tcp"), _REMOTE),
    (re.compile(r"must specify --enable-helm"), "it inflates a Helm chart, which is not done here"),
    (
        re.compile(r"plugins disabled|--enable-(?:exec|alpha)"),
        "it needs a plugin, and none is run here",
    ),
)
_SOURCE = re.compile(r"accumulating resources from '([^']+)'|Get \"([^\"]+)\"")


class Kustomize:
    """Renders in `place`, a folder of its own that `user` can reach; None is the caller.

    `path` is where programs are looked for. The latest answers are kept: the same sources are
    rendered once in a run.
    """

    def __init__(
        self, processes: Processes, *, place: Path, path: str, user: int | None = None
    ) -> None:
        self._processes = processes
        self._place = place.resolve()
        self._path = path
        self._user = user
        self._known: list[tuple[Sources, PurePosixPath, Rendering]] = []

    def render(self, sources: Sources, folder: PurePosixPath) -> Rendering:
        """Render a folder; what goes wrong is part of the answer.

        Raises RunnerError where the copy cannot be written, and CancelledError.
        """
        for known, place, rendering in self._known:
            if place == folder and known == sources:
                return rendering
        rendering = self._render(sources, folder)
        self._known = [(sources, folder, rendering), *self._known[: _REMEMBERED - 1]]
        return rendering

    def _render(self, sources: Sources, folder: PurePosixPath) -> Rendering:
        program = shutil.which("kustomize", path=self._path)
        if program is None:
            return _unable("the program `kustomize` is not there")
        if local := [one for one in sources.outside if "://" in one]:
            return _unable(_REMOTE.format(local[0]))
        tree, home = self._place / "tree", self._place / "home"
        try:
            make_folder(self._place, self._user)
            make_folder(home, self._user)
            _write(tree, sources)
            own_tree(tree, self._user)
            return self._build(program, tree, folder, sources.outside)
        except OSError as error:
            raise RunnerError(
                f"The kustomization could not be copied: {error.strerror}: {error.filename}.",
                hint="Look at the runner's disk space and permissions.",
            ) from error
        finally:
            remove_tree(tree)
            remove_tree(home)

    def _build(
        self, program: str, tree: Path, folder: PurePosixPath, outside: Sequence[str]
    ) -> Rendering:
        rendering = self._run(program, tree, folder, "LoadRestrictionsRootOnly")
        if not any(words in rendering.failure for words in _RESTRICTED):
            return _told(rendering, tree)
        if outside:
            return _unable(f"it reads {', '.join(outside)} from outside the repository")
        # The user can reach no file but those of the tree, and no reference leads out of it.
        rendering = self._run(program, tree, folder, "LoadRestrictionsNone")
        return _told(rendering, tree, unrestricted=True)

    def _run(self, program: str, tree: Path, folder: PurePosixPath, restrictions: str) -> Rendering:
        output = _Output()
        argv = as_user(
            self._user, program, "build", f"--load-restrictor={restrictions}", str(tree / folder)
        )
        try:
            ended = self._processes.run(
                (shutil.which(argv[0], path=self._path) or argv[0], *argv[1:]),
                env=self._environment(),
                cwd=tree,
                timeout=_SECONDS,
                on_stdout=output.add,
            )
        except _TooLongError:
            return _unable("it renders more than 32 MiB, or a line of more than 1 MiB")
        if ended.timed_out:
            return _unable(f"it took longer than {_SECONDS:.0f} s")
        if ended.exit_code != 0:
            return Rendering(failure=ended.stderr or f"kustomize ended with {ended.exit_code}")
        return Rendering(text=output.text)

    def _environment(self) -> Mapping[str, str]:
        home = str(self._place / "home")
        return {
            # No program is found, git least of all.
            "PATH": home,
            "HOME": home,
            "TMPDIR": home,
            "HTTP_PROXY": _NOWHERE,
            "HTTPS_PROXY": _NOWHERE,
            "GIT_ALLOW_PROTOCOL": "none",
        }


class _TooLongError(Exception):
    """The output is longer than anybody would apply to a cluster."""


class _Output:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._left = _LONGEST_OUTPUT

    def add(self, line: str) -> None:
        self._left -= len(line) + 1
        # A line above this length comes in pieces.
        if self._left < 0 or len(line) >= _LONGEST_LINE:
            raise _TooLongError
        self._lines.append(line)

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)


def _write(tree: Path, sources: Sources) -> None:
    """Write the files, and only then the links, so that no file is written through one."""
    tree.mkdir()
    for path, content in sources.files.items():
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    for path, target in sources.links.items():
        link = tree / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)


def _unable(reason: str) -> Rendering:
    return Rendering(failure=reason, here=True)


def _told(rendering: Rendering, tree: Path, *, unrestricted: bool = False) -> Rendering:
    """Say a failure in few words: Kustomize wraps it in one for every folder on the way."""
    said = rendering.failure
    if not said or rendering.here:
        return Rendering(
            text=rendering.text, failure=said, here=rendering.here, unrestricted=unrestricted
        )
    for pattern, words in _HERE:
        if pattern.search(said):
            found = [one or other for one, other in _SOURCE.findall(said)]
            return _unable(words.format(found[-1] if found else "something"))
    *_, last = said.strip().splitlines()
    last = last.removeprefix("Error: ").lstrip("`: ").replace(f"{tree}/", "")
    if len(last) > _LONGEST_REASON:
        last = f"{last[:_LONGEST_REASON]}…"
    return Rendering(failure=last.rstrip("."))
