"""A Go toolchain in memory, and a log that remembers what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from gitops_action.model.go import ModuleRun, PackageRun
from gitops_action.model.log import Annotation, Level


@dataclass
class FakeGo:
    """Ends its packages one by one, as `go test` does."""

    packages: Sequence[PackageRun] = ()
    run: ModuleRun = field(default_factory=lambda: ModuleRun(exit_code=0, go_version="go1.26.8"))
    isolated: bool = True
    dockerfile_version: str = ""
    asked: tuple[PurePosixPath, Sequence[str], Sequence[str], Sequence[str]] | None = None

    def verify(
        self,
        module: PurePosixPath,
        packages: Sequence[str],
        flags: Sequence[str],
        variables: Sequence[str],
        *,
        on_package: Callable[[PackageRun], None],
    ) -> ModuleRun:
        self.asked = (module, packages, flags, variables)
        for package in self.packages:
            on_package(package)
        return self.run

    def version_in(self, dockerfile: PurePosixPath) -> str:
        return self.dockerfile_version if dockerfile.name == "Dockerfile" else ""


@dataclass
class MemoryLog:
    """Keeps lines of ours, text of others, groups and annotations apart."""

    lines: list[str] = field(default_factory=list)
    fenced: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def foreign(self, text: str) -> None:
        self.fenced.append(text)

    def annotate(self, annotation: Annotation) -> None:
        self.annotations.append(annotation)

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        self.groups.append(title)
        yield

    def of(self, level: Level) -> list[Annotation]:
        return [annotation for annotation in self.annotations if annotation.level is level]
