"""The tags of the image: which of them never move, and which this run must leave alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from gitops_action.inputs import RunContext
from gitops_action.model.image import is_tag
from gitops_action.model.source import Commit
from gitops_action.model.version import image_tag, read_version, version_in

if TYPE_CHECKING:
    import semver

_LONGEST_TAG = 128
_FIELD = re.compile(r"\{([^{}]*)\}")
# A text with one of these is another one for every image.
_UNIQUE = {"sha", "sha-short", "run-number"}
# As `sha` and `sha-short` write it.
_COMMIT = re.compile(r"[0-9a-f]{7}|[0-9a-f]{40}")
_RUN_NUMBER = "{run-number}"


class Tags(NamedTuple):
    """`names` puts the tags that never move first; `problems` are errors in the input.

    `moving` are those that may name another image tomorrow; `version` is the one that this run is
    for, empty where it is for none; `new_each_run` says whether the first tag is another one in
    every run.
    """

    names: tuple[str, ...]
    moving: frozenset[str] = frozenset()
    version: str = ""
    new_each_run: bool = False
    notices: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def fixed(self) -> tuple[str, ...]:
        """Those that never move."""
        return tuple(name for name in self.names if name not in self.moving)


@dataclass(slots=True)
class _Found:
    fixed: dict[str, str] = field(default_factory=dict)  # and the word that it comes from
    moving: list[str] = field(default_factory=list)
    version: str = ""
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def resolve_tags(words: Sequence[str], context: RunContext, commit: Commit) -> Tags:
    """Turn `sha, latest, v1, {branch}-{date}` into tags for this commit."""
    found = _Found()
    for word in words:
        match word:
            case "sha":
                found.fixed.setdefault(commit.sha.value, word)
            case "sha-short":
                found.fixed.setdefault(commit.sha.short, word)
            case "latest":
                _latest(context, found)
            case "branch":
                _text("{branch}", context, commit, found)
            case "semver":
                _semver(context, found)
            case _:
                _text(word, context, commit, found)
    if not found.fixed and not found.problems:
        found.problems.append(
            "`tags` needs one that never moves, such as `sha`, for the kustomization to name"
        )
    return Tags(
        names=tuple(dict.fromkeys([*found.fixed, *found.moving])),
        moving=frozenset(found.moving) - found.fixed.keys(),
        version=found.version,
        new_each_run=_RUN_NUMBER in next(iter(found.fixed.values()), ""),
        notices=tuple(found.notices),
        problems=tuple(found.problems),
    )


def _latest(context: RunContext, found: _Found) -> None:
    version = _version(context)
    released = (version or context.event == "release") and not (
        context.prerelease or (version and version.prerelease)
    )
    if _on_default(context) or released:
        found.moving.append("latest")
        found.version = str(version or "")
    else:
        found.notices.append(
            "The tag `latest` stays where it is: it follows the default branch and releases."
        )


def _on_default(context: RunContext) -> bool:
    return context.ref_type == "branch" and context.ref_name == context.default_branch != ""


def _semver(context: RunContext, found: _Found) -> None:
    """`v1.2.3` is `1.2.3`, which stays, and `1.2` and `1`, which move; a pre-release moves none."""
    version = _version(context)
    if not version:
        found.notices.append("The tag `semver` is left out: this run is not for a version's tag.")
        return
    found.fixed.setdefault(image_tag(version), "semver")
    found.version = str(version)
    if not (version.prerelease or context.prerelease):
        found.moving += [f"{version.major}.{version.minor}", f"{version.major}"]


def _version(context: RunContext) -> semver.Version | None:
    text = context.ref_name.removeprefix("v")
    return read_version(text) if context.ref_type == "tag" else None


def _text(word: str, context: RunContext, commit: Commit, found: _Found) -> None:
    """Fill in the fields; text without any is a name that the workflow gives to one image."""
    values = {
        "sha": commit.sha.value,
        "sha-short": commit.sha.short,
        "branch": _branch(context),
        "run-number": context.run_number,
        "date": datetime.fromtimestamp(commit.time, UTC).strftime("%Y-%m-%d"),
    }
    named = _FIELD.findall(word)
    if unknown := [name for name in named if name not in values]:
        listed = ", ".join(f"`{{{name}}}`" for name in values)
        found.problems.append(f"`tags`: `{{{unknown[0]}}}` is no field; there are {listed}")
        return
    if empty := [name for name in named if not values[name]]:
        lacking = {"branch": "branch", "run-number": "number"}[empty[0]]
        found.notices.append(f"The tag `{word}` is left out: this run has no {lacking}.")
        return
    tag = _FIELD.sub(lambda field: values[field[1]], word)
    if "branch" in named and len(tag) > _LONGEST_TAG:
        spare = (len(tag) - _LONGEST_TAG - 1) // named.count("branch") + 1
        shorter = values | {"branch": values["branch"][:-spare]}
        tag = _FIELD.sub(lambda field: shorter[field[1]], word)
    if not is_tag(tag):
        found.problems.append(f"`tags`: {word!r} is not an image tag ({_advice(word)})")
    elif named and _UNIQUE.isdisjoint(named):
        if "branch" in named and (owner := _owner(tag, context)):
            found.notices.append(f"The tag `{word}` is left out: `{tag}` is {owner}'s.")
        else:
            found.moving.append(tag)
    else:
        found.fixed.setdefault(tag, word)


def _owner(tag: str, context: RunContext) -> str:
    """Say whose tag it is that a branch is called like: who may push one may not move another."""
    if version_in(tag.removeprefix("v")):
        return "a version"
    if _COMMIT.fullmatch(tag):
        return "a commit"
    return "the default branch" if tag == "latest" and not _on_default(context) else ""


def _branch(context: RunContext) -> str:
    if context.ref_type != "branch":
        return ""
    folded = re.sub(r"[^A-Za-z0-9_.-]+", "-", context.ref_name).lstrip("-.")
    return folded or ("branch" if context.ref_name else "")


def _advice(word: str) -> str:
    folded = word.replace("+", "_")
    return (
        f"{folded!r} would do" if is_tag(folded) else "letters, digits, `_`, `.`, `-`, at most 128"
    )
