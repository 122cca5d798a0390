"""Which stages run, and what is missing for them or used by none of them."""

from __future__ import annotations

from collections.abc import Collection

from gitops_action.inputs import Inputs, RunContext
from gitops_action.model.delivery import Delivery
from gitops_action.model.image import ImageReference
from gitops_action.model.stage import Stage
from gitops_action.model.via import Reporter
from gitops_action.model.wait import WaitFor
from gitops_action.plan.gitops import PROPOSALS

_READ_ONLY_EVENTS = {"pull_request", "merge_group"}
_READ_ONLY_STAGES = {Stage.VERIFY, Stage.BUILD}
_ARGOCD = ("argocd-server", "argocd-token")
_PULL_REQUEST = ("pull-request-labels", "pull-request-auto-merge", "pull-request-wait")
_WHICH = ("argocd-applications", "argocd-selector")

# Which stages an input is for; what stands nowhere here is for every stage.
_USERS = {
    Stage.VERIFY: ("go-packages", "go-test-flags", "test-env", "coverage-minimum"),
    Stage.BUILD: (
        *("builder", "rebuild", "context", "dockerfile", "main-package", "base-image"),
        *("target", "build-args", "build-secrets", "build-cache", "attestations"),
        *("labels", "platforms", "buildkit-address", "buildkit-tls"),
    ),
    Stage.PROMOTE: (
        *("kustomizations", "kustomize-name", "pin", "rendered-proof", "commit-message"),
        *("gitops-repository", "gitops-branch", "gitops-token", "gitops-ssh-key"),
        *("gitops-known-hosts", "commit-author", "signing-key", "allow-downgrade"),
        *("delivery", *_PULL_REQUEST),
    ),
    Stage.SYNC: (
        *(*_ARGOCD, *_WHICH, "argocd-project", "argocd-resources", "argocd-sync"),
        *("argocd-unblock", "argocd-insecure", "argocd-headers", "wait-via", "wait-timeout"),
        "on-failed-rollout",
    ),
}
_ONLY_FOR = {
    "docker": (
        *("context", "dockerfile", "target", "build-args", "build-secrets", "build-cache"),
        *("buildkit-address", "buildkit-tls"),
    ),
    "ko": ("main-package", "base-image"),
}
# What a stage cannot do without, and the stages whose result it needs in the same run.
_NEEDS = {
    Stage.BUILD: ("image",),
    Stage.PUBLISH: ("image",),
    Stage.PROMOTE: ("image", "kustomizations"),
    Stage.SYNC: _ARGOCD,
}
_AFTER = {Stage.PUBLISH: Stage.BUILD, Stage.SYNC: Stage.PROMOTE}


def choose_stages(inputs: Inputs, context: RunContext, problems: list[str]) -> tuple[Stage, ...]:
    """Choose the stages; add to `problems` what is missing, and what nobody would use."""
    wanted = inputs.stages if inputs.stages is not None else _implied(inputs)
    if inputs.wait_for is WaitFor.NOTHING:
        wanted -= {Stage.SYNC}
    if is_read_only(context) or _is_proposal(inputs, context):
        # Secrets are empty on a fork's pull request: what a later stage lacks is no problem here.
        return tuple(stage for stage in Stage if stage in wanted & _READ_ONLY_STAGES)
    for stage in Stage:
        if stage in wanted:
            problems += _missing(stage, inputs, wanted)
        elif not (stage is Stage.SYNC and inputs.wait_for is WaitFor.NOTHING):
            problems += [
                f"`{name}` is for the stage `{stage}`, which does not run"
                for name in _USERS.get(stage, ())
                if name in inputs.given
            ]
    return tuple(stage for stage in Stage if stage in wanted)


def _implied(inputs: Inputs) -> frozenset[Stage]:
    stages = {Stage.VERIFY}
    if inputs.image:
        stages |= {Stage.BUILD, Stage.PUBLISH}
    if inputs.kustomizations:
        stages.add(Stage.PROMOTE)
    if inputs.given & {*_ARGOCD, *_WHICH, "wait-via"}:
        stages.add(Stage.SYNC)
    return frozenset(stages)


def _missing(stage: Stage, inputs: Inputs, wanted: frozenset[Stage]) -> list[str]:
    asks_argocd = inputs.wait_via.reporter is Reporter.ARGOCD
    needs = () if stage is Stage.SYNC and not asks_argocd else _NEEDS.get(stage, ())
    problems = [
        f"`{name}` is empty, and the stage `{stage}` needs it"
        + (" (is the secret set for this repository?)" if name.endswith("token") else "")
        for name in needs
        if not getattr(inputs, name.replace("-", "_"))
    ]
    named = inputs.argocd_applications or inputs.argocd_selector
    if stage is Stage.SYNC and asks_argocd and not named:
        problems.append(f"`{_WHICH[0]}` is empty, and the stage `{stage}` needs it")
    before = _AFTER.get(stage)
    if before and before not in wanted:
        problems.append(f"the stage `{stage}` needs the stage `{before}` in the same run")
    return problems


def contradictions(inputs: Inputs, stages: Collection[Stage]) -> list[str]:
    """Say which inputs cannot hold together."""
    problems = _about_image(inputs, stages)
    problems += [
        f"`{name}` is for `builder: {builder}`, and `builder` is `{inputs.builder}`"
        for builder, names in _ONLY_FOR.items()
        for name in names
        if name in inputs.given and inputs.builder not in {"auto", builder}
    ]
    if inputs.builder == "ko" and "provenance" in inputs.attestations:
        problems.append("`attestations` asks for `provenance`, and `builder: ko` makes `sbom` only")
    if inputs.wait_via.reporter is not Reporter.ARGOCD:
        problems += [
            f"`{name}` is for `wait-via: argocd`, and `wait-via` is `{inputs.wait_via}`"
            for name in sorted(inputs.given)
            if name.startswith("argocd-")
        ]
    if inputs.gitops_known_hosts and not inputs.gitops_ssh_key:
        problems.append("`gitops-known-hosts` is for `gitops-ssh-key`, which is empty")
    if bool(inputs.buildkit_address) != bool(inputs.buildkit_tls):
        empty = "buildkit-tls" if inputs.buildkit_address else "buildkit-address"
        problems.append(f"`{empty}` is empty (is the secret set for this repository?)")
    if bool(inputs.registry_username) != bool(inputs.registry_password):
        empty = "registry-password" if inputs.registry_username else "registry-username"
        problems.append(f"`{empty}` is empty (is the secret set for this repository?)")
    return problems


def about_delivery(inputs: Inputs, repository: str) -> list[str]:
    """Say what cannot be delivered so; `repository` is its name on GitHub, empty elsewhere."""
    way, problems = inputs.delivery, list[str]()
    if way in {Delivery.PUSH, Delivery.API}:
        problems += [
            f"`{name}` is for `delivery: pull-request` or `auto`, and `delivery` is `{way}`"
            for name in _PULL_REQUEST
            if name in inputs.given
        ]
    if way is not Delivery.PUSH:
        problems += [
            f"`{name}` is for `delivery: push`: through GitHub's API the commit is by the token's "
            "owner, and GitHub signs it"
            for name in ("commit-author", "signing-key")
            if name in inputs.given
        ]
        if not repository:
            problems.append(
                f"`delivery: {way}` needs a `gitops-repository` on this GitHub, `owner/name`"
            )
    return problems


def _about_image(inputs: Inputs, stages: Collection[Stage]) -> list[str]:
    image = inputs.image
    if not isinstance(image, ImageReference):
        return []
    if {Stage.BUILD, Stage.PUBLISH} & set(stages):
        told = f"`image` is {image}, and another one is built: write `{image.repository}`"
        return [f"{told}, or `stages: promote sync` to promote the one that exists"]
    if Stage.PROMOTE in stages and inputs.pin.has_tag and not image.tag:
        return ["`image` has a digest and no tag: add the tag, or set `pin: digest`"]
    return []


def is_read_only(context: RunContext) -> bool:
    # Reviews of a pull request are events of their own, on the same unmerged commit.
    return context.event in _READ_ONLY_EVENTS or context.ref.startswith("refs/pull/")


def _is_proposal(inputs: Inputs, context: RunContext) -> bool:
    """Whether a proposal of ours has started the run: its image would be proposed, without end."""
    ours = f"refs/heads/{PROPOSALS}/"
    return inputs.delivery.proposes and context.ref.startswith(ours)
