"""The tags of the image: which of them never move, and which this run must leave alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import semver

from gitops_action.inputs import RunContext
from gitops_action.model.image import is_tag
from gitops_action.model.source import CommitSha

_LONGEST_TAG = 128


class Tags(NamedTuple):
    """`names` puts the tags that never move first; `problems` are errors in the input."""

    names: tuple[str, ...]
    notices: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(slots=True)
class _Found:
    fixed: list[str] = field(default_factory=list)
    moving: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def resolve_tags(words: Sequence[str], context: RunContext, commit: CommitSha) -> Tags:
    """Turn `sha, latest, v1` into tags for this commit."""
    found = _Found()
    for word in words:
        match word:
            case "sha":
                found.fixed.append(commit.value)
            case "sha-short":
                found.fixed.append(commit.short)
            case "latest":
                _latest(context, found)
            case "branch":
                _branch(context, found)
            case "semver":
                _semver(context, found)
            case _:
                _literal(word, found)
    if not found.fixed and not found.problems:
        found.problems.append(
            "`tags` needs one that never moves, such as `sha`, for the kustomization to name"
        )
    names = tuple(dict.fromkeys([*found.fixed, *found.moving]))
    return Tags(names, tuple(found.notices), tuple(found.problems))


def _latest(context: RunContext, found: _Found) -> None:
    if context.ref_type == "branch" and context.ref_name == context.default_branch != "":
        found.moving.append("latest")
    else:
        found.notices.append("The tag `latest` stays where it is: it follows the default branch.")


def _branch(context: RunContext, found: _Found) -> None:
    if context.ref_type != "branch" or not context.ref_name:
        found.notices.append("The tag `branch` is left out: this run has no branch.")
        return
    folded = re.sub(r"[^A-Za-z0-9_.-]+", "-", context.ref_name).lstrip("-.")
    found.moving.append(folded[:_LONGEST_TAG] or "branch")


def _semver(context: RunContext, found: _Found) -> None:
    """`v1.2.3` is `1.2.3`, which stays, and `1.2` and `1`, which move; a pre-release moves none."""
    text = context.ref_name.removeprefix("v")
    if context.ref_type != "tag" or not semver.Version.is_valid(text):
        found.notices.append("The tag `semver` is left out: this run is not for a version's tag.")
        return
    version = semver.Version.parse(text)
    # A registry takes no `+`, which separates build metadata.
    found.fixed.append(text.replace("+", "_"))
    if not version.prerelease:
        found.moving += [f"{version.major}.{version.minor}", f"{version.major}"]


def _literal(word: str, found: _Found) -> None:
    if is_tag(word):
        found.fixed.append(word)
        return
    folded = word.replace("+", "_")
    advice = (
        f"{folded!r} would do" if is_tag(folded) else "letters, digits, `_`, `.`, `-`, at most 128"
    )
    found.problems.append(f"`tags`: {word!r} is not an image tag ({advice})")
