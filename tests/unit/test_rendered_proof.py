"""The rendered proof: what is compared, what may change, and what is said otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

import pytest

from gitops_action.errors import EntryError, ProofError, RenderError
from gitops_action.kustomization import ImageRequest, RenderedProof, plan_edits, prove_rendered
from gitops_action.kustomization.comparison import compare, image_names, mentions, runs
from gitops_action.kustomization.sources import Gathered, gather
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.rendering import Rendering, Sources
from tests.fakes.gitops import FakeGitOpsRepository
from tests.fakes.kustomize import FakeKustomize

OLD, NEW = "ghcr.io/acme/shop:v1", "ghcr.io/acme/shop:v2"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
    version: {tag}
  name: shop
spec:
  template:
    spec:
      containers:
      - image: ghcr.io/acme/shop:{tag}
        name: shop
      initContainers:
      - image: "localhost:5000/tool@sha256:0"
      volumes:
      - image:
          reference: models/big:7
"""
FIXED = DEPLOYMENT.replace("{tag}", "v1", 1)
SERVICE = "apiVersion: v1\nkind: Service\nmetadata:\n  name: shop\n"
SECRET = "kind: Secret\nmetadata:\n  name: s\nstringData:\n  image: {image}\n  password: hunter2\n"
KUSTOMIZATION = "images:\n- name: shop\n  newName: ghcr.io/acme/shop\n  newTag: v1\n"


def test_only_the_image_may_change() -> None:
    """
    The diff shows the resource whose image changes, and no other.
    """
    before = f"{SERVICE}---\n{FIXED.replace('{tag}', 'v1')}"
    after = f"{SERVICE}---\n{FIXED.replace('{tag}', 'v2')}"

    compared = compare(before, after, expected={NEW}, folder="dev")

    assert compared.references == {NEW}
    assert compared.derived == ()
    assert compared.diff.startswith("--- a/dev Deployment/shop\n+++ b/dev Deployment/shop\n@@")
    assert f"-      - image: {OLD}\n+      - image: {NEW}\n" in compared.diff


def test_what_holds_the_tag_may_follow_it() -> None:
    """
    `replacements` may copy the tag into a label.
    """
    compared = compare(
        DEPLOYMENT.format(tag="v1"), DEPLOYMENT.format(tag="v2"), expected={NEW}, folder="dev"
    )

    assert compared.derived == ("Deployment/shop: metadata.labels.version",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("name: shop", "name: shops"), "Deployment/shops: metadata.name"),
        (lambda text: text.replace("tool@", "tools@"), "initContainers.0.image"),
        (lambda text: text.replace("      - image: ghcr", "      - image: 1\n      - image: ghcr"),
         "Deployment/shop: spec.template.spec.containers"),
        (lambda text: f"{text}status: {{}}\n", "Deployment/shop: everything"),
        (lambda text: f"{text}---\n{SERVICE}", "2 resources in place of 1"),
        (lambda text: text.replace("name: shop\n", "name: [\n"), "a resource that cannot be read"),
        (lambda text: text.replace("name: shop\n", "name: 7\n"), "metadata.name"),
        (lambda _: "- 1\n", "a resource: everything"),
    ],
)  # fmt: skip
def test_any_other_change_is_an_error(change: Callable[[str], str], said: str) -> None:
    """
    The message names the resource and the field, and never the value.
    """
    after = change(FIXED.replace("{tag}", "v2"))

    with pytest.raises(ProofError) as caught:
        compare(FIXED.replace("{tag}", "v1"), after, expected={NEW}, folder="dev")

    assert said in caught.value.message
    assert "Nothing was committed" in caught.value.message


def test_a_name_with_the_hash_of_what_follows_may_change() -> None:
    """
    A ConfigMap that holds the tag gets another name, and its users with it; only its end differs.
    """
    text = "kind: ConfigMap\nmetadata:\n  name: {}\ndata:\n  image: {}\n---\n"
    before, after = (
        f"{text.format(name, tag)}{FIXED.replace('{tag}', tag)}      - configMap: {name}\n"
        for name, tag in (("c-aaaaaaaaaa", "v1"), ("c-bbbbbbbbbb", "v2"))
    )

    compared = compare(before, after, expected={NEW}, folder="dev")

    assert len(compared.derived) == 3
    with pytest.raises(ProofError, match=r"ConfigMap/d-bbbbbbbbbb: metadata\.name"):
        compare(before, after.replace("c-bbb", "d-bbb"), expected={NEW}, folder="dev")


def test_a_secret_is_not_shown() -> None:
    """
    The summary never has a secret's lines, not as context either.
    """
    compared = compare(
        SECRET.format(image=OLD), SECRET.format(image=NEW), expected={NEW}, folder="dev"
    )

    assert "hunter2" not in compared.diff
    assert "Secret/s" in compared.diff


@pytest.mark.parametrize(
    ("reference", "is_run"),
    [
        (OLD, True),
        ("localhost:5000/tool@sha256:0", True),
        ("models/big:7", True),
        ("v1", False),
        (NEW, False),
    ],
)
def test_an_image_counts_where_something_runs_it(reference: str, *, is_run: bool) -> None:
    """
    Containers, init containers and volumes made of images are looked at, labels are not.
    """
    text = DEPLOYMENT.format(tag="v1")

    assert runs(text, reference) is is_run
    assert mentions(text, reference) is (reference != NEW)


def test_the_names_that_do_exist_are_found() -> None:
    """
    A suggestion has neither tag nor digest; schemas are no images.
    """
    schema = "kind: CustomResourceDefinition\nspec:\n  image: not/this\n"

    names = image_names(f"{schema}---\n{DEPLOYMENT.format(tag='v1')}")

    assert names == ["ghcr.io/acme/shop", "localhost:5000/tool", "models/big"]


@dataclass
class Scripted:
    """Answers by what the kustomization asks for: `v1` before the edit, `v2` after it."""

    before: Rendering
    after: Rendering

    def render(self, sources: Sources, folder: PurePosixPath) -> Rendering:
        text = sources.files[folder / "kustomization.yaml"].decode()
        return self.after if "newTag: v2" in text else self.before


def prove(
    renderer: FakeKustomize | Scripted,
    files: dict[str, str],
    *,
    entry: str = "shop",
    required: bool = False,
    links: dict[str, str] | None = None,
) -> RenderedProof:
    repository = FakeGitOpsRepository({**files, **(links or {})}, links=set(links or ()))
    edits = plan_edits(
        [PurePosixPath(file) for file in files if "kustomization" in file],
        requests=[ImageRequest(ImageReference(Repository("ghcr.io/acme/shop"), "v2"), entry)],
        tree=repository,
        head=repository.tip,
    )
    return prove_rendered(
        edits, tree=repository, head=repository.tip, renderer=renderer, required=required
    )


ONE = {"dev/kustomization.yaml": KUSTOMIZATION}


def test_a_name_that_no_container_has_is_an_error() -> None:
    """
    The classic accident, an entry that changes nothing, never ends green.
    """
    files = {"dev/kustomization.yaml": KUSTOMIZATION.replace("name: shop", "name: rediss")}

    with pytest.raises(EntryError) as caught:
        prove(FakeKustomize(unused={"rediss"}), files, entry="rediss")

    assert "The images there are: `redis`." in caught.value.message
    assert caught.value.hint == (
        "Did you mean `redis`? Set `kustomize-name` to the image's name as the manifests write "
        "it: `kustomize-name: redis`."
    )


def test_a_kustomization_without_containers_says_so() -> None:
    """
    Where there is nothing to suggest, nothing is suggested.
    """
    renderer = Scripted(Rendering(text=SERVICE), Rendering(text=SERVICE))

    with pytest.raises(EntryError) as caught:
        prove(renderer, ONE)

    assert "none at all" in caught.value.message
    assert "Did you mean" not in caught.value.hint


@pytest.mark.parametrize(
    ("rendering", "said"),
    [
        (
            Rendering(failure="no such file"),
            "dev was already broken before the edit: no such file.",
        ),
        (
            Rendering(failure="it needs a plugin", here=True),
            "dev could not be rendered here, because it needs a plugin.",
        ),
    ],
)
def test_what_cannot_be_rendered_is_said_or_fails(rendering: Rendering, said: str) -> None:
    """
    `rendered-proof: required` turns the report into an error that names the way out.
    """
    renderer = FakeKustomize(failure=rendering)

    proof = prove(renderer, ONE)

    assert proof.unproved == (said,)
    with pytest.raises(RenderError) as caught:
        prove(renderer, ONE, required=True)
    assert said in caught.value.message
    assert "rendered-proof: when-possible" in caught.value.hint


def test_an_edit_that_breaks_the_rendering_is_an_error() -> None:
    """
    Argo CD could not render it either.
    """
    renderer = Scripted(Rendering(text=SERVICE), Rendering(failure="bad tag"))

    with pytest.raises(ProofError, match="could not be rendered any more"):
        prove(renderer, ONE)


def test_a_rendering_that_ends_at_our_limits_afterwards_is_reported() -> None:
    """
    A slow machine is no fault of the edit.
    """
    renderer = Scripted(
        Rendering(text=SERVICE), Rendering(failure="it took longer than 30 s", here=True)
    )

    proof = prove(renderer, ONE)

    assert proof.unproved == ("dev could not be rendered here, because it took longer than 30 s.",)


def test_files_outside_the_folder_are_told() -> None:
    """
    Argo CD needs the same permission.
    """
    before, after = (
        Rendering(text=FIXED.replace("{tag}", tag), unrestricted=True) for tag in ("v1", "v2")
    )

    proof = prove(Scripted(before, after), ONE)

    assert "LoadRestrictionsNone" in proof.notices[0]


def test_an_image_that_kustomize_was_told_of_counts() -> None:
    """
    A custom resource with a field of its own is proved, in the first run and in a second one.
    """
    custom = "kind: Prometheus\nmetadata:\n  name: p\nspec:\n  image: {}\n"
    before, after = (Rendering(text=custom.format(image)) for image in (OLD, NEW))
    asked = {"dev/kustomization.yaml": KUSTOMIZATION.replace("v1", "v2")}

    first = prove(Scripted(before, after), ONE)
    second = prove(Scripted(before, after), asked)

    assert f"+  image: {NEW}" in first.diff
    assert second == RenderedProof()


def test_a_later_entry_may_rename_the_image() -> None:
    """
    A mirror that another entry names is where the image is looked for; a later tag is not ours.
    """
    mirror = "- name: ghcr.io/acme/shop\n  newName: mirror/shop\n"
    files = {"dev/kustomization.yaml": KUSTOMIZATION + mirror}
    before, after = (
        Rendering(text=FIXED.replace("ghcr.io/acme/shop:{tag}", f"mirror/shop:{tag}"))
        for tag in ("v1", "v2")
    )

    proof = prove(Scripted(before, after), files)

    assert "+      - image: mirror/shop:v2" in proof.diff
    files = {"dev/kustomization.yaml": f"{KUSTOMIZATION}{mirror}  newTag: v9\n"}
    stuck = Rendering(text=FIXED.replace("ghcr.io/acme/shop:{tag}", "mirror/shop:v9"))
    with pytest.raises(EntryError):
        prove(Scripted(stuck, stuck), files)


def test_a_component_is_proved_by_its_users_or_not_at_all() -> None:
    """
    What renders nothing by itself is rendered where it is used.
    """
    component = f"kind: Component\n{KUSTOMIZATION}"
    user = f"components: [../part]\n{KUSTOMIZATION}"
    files = {"part/kustomization.yaml": component, "dev/kustomization.yaml": user}
    broken = FakeKustomize(failure=Rendering(failure="gone"))

    used = prove(FakeKustomize(), files)
    alone = prove(FakeKustomize(), {"part/kustomization.yaml": component})
    unknown = prove(broken, files)

    assert used.unproved == ()
    assert "no other of the `kustomizations` uses it" in alone.unproved[0]
    assert unknown.unproved == ("dev was already broken before the edit: gone.",)


JSON_PATCH = "- op: replace\n  path: /spec/containers/0/image\n  value: nginx:1\n"
CONTAINER = '[{"op": "add", "path": "/spec/containers/0", "value": {"image": "nginx:2"}}]'
MERGE = "kind: Pod\nspec:\n  containers:\n  - name: proxy\n    image: 'proxy:1'\n"


@pytest.mark.parametrize(
    ("patch", "content", "words"),
    [
        ("patches: [{path: p.yaml}]\n", JSON_PATCH, "The patch `p.yaml` on line 5 sets `/spec/con"),
        ("patchesJson6902: [{Path: ./p.yaml}]\n", CONTAINER, "sets an image to `nginx:2`"),
        ("patches: [{path: link.yaml}]\n", JSON_PATCH, "to `nginx:1`: where that is"),
        ("patches: [{path: p.yaml}]\n", MERGE, ""),
        ("patches: [{path: p.yaml}]\n", JSON_PATCH.replace("nginx", "shop"), ""),
        ("patches: [{path: p.yaml}]\n", CONTAINER.replace("nginx", "shop"), ""),
        ("patches: [{patch: '[{op: add, path: /a/image, value: b}]'}]\n", "", ""),
        ("patches: [{path: gone.yaml}, {path: loop.yaml}, {path: /p.yaml}, {a: b}]\n", MERGE, ""),
    ],
    ids=[
        "operations",
        "a whole container",
        "a link",
        "another container",
        "our image",
        "our container",
        "inline",
        "no file",
    ],
)
def test_patch_files_that_set_the_image_are_warned_of(patch: str, content: str, words: str) -> None:
    """
    A patch comes before `images`, wherever it stands: the reader learns where to look.
    """
    files = {"dev/kustomization.yaml": KUSTOMIZATION + patch, "dev/p.yaml": content}
    links = {"dev/link.yaml": "p.yaml", "dev/loop.yaml": "loop.yaml"}

    proof = prove(FakeKustomize(), files, links=links)

    assert len(proof.warnings) == bool(words)
    assert words in "".join(proof.warnings)


@pytest.mark.parametrize(
    "patch",
    [
        "patches: [{path: p.yaml}]\n",
        "patchesStrategicMerge: [p.yaml, [no]]\n",
        "patches:\n- patch: |\n    spec:\n    - image: proxy:1\n",
        "patchesStrategicMerge:\n- |\n  spec:\n  - image: proxy:1\n",
    ],
)
def test_merges_are_warned_of_where_nothing_was_rendered(patch: str) -> None:
    """
    A sidecar's image is no news, unless nobody could look whether ours runs.
    """
    files = {"dev/kustomization.yaml": KUSTOMIZATION + patch, "dev/p.yaml": MERGE}
    renderer = FakeKustomize(failure=Rendering(failure="it needs a plugin", here=True))

    proof = prove(renderer, files)

    (warning,) = proof.warnings
    assert warning.startswith("dev/kustomization.yaml: The patch ")
    assert "sets an image to `proxy:1`" in warning


def test_a_file_is_rendered_in_each_folder_that_has_it() -> None:
    """
    A symbolic link to another folder's kustomization is built with the files beside the link.
    """
    files = {
        "shared/shop.yaml": f"resources: [pod.yaml]\n{KUSTOMIZATION}",
        "dev/kustomization.yaml": "../shared/shop.yaml",
        "dev/pod.yaml": "",
        "test/kustomization.yaml": "../dev/kustomization.yaml",
        "test/pod.yaml": "",
    }
    repository = FakeGitOpsRepository(
        files, links={"dev/kustomization.yaml", "test/kustomization.yaml"}
    )
    renderer = FakeKustomize()
    image = ImageReference(Repository("ghcr.io/acme/shop"), "v2")

    edits = plan_edits(
        [PurePosixPath("dev"), PurePosixPath("test/kustomization.yaml")],
        requests=[ImageRequest(image)],
        tree=repository,
        head=repository.tip,
    )
    proof = prove_rendered(
        edits, tree=repository, head=repository.tip, renderer=renderer, required=True
    )

    assert [str(edit.path) for edit in edits] == ["shared/shop.yaml"]
    assert [str(folder) for _, folder in renderer.rendered] == ["dev", "dev", "test", "test"]
    assert {"dev/pod.yaml", "test/pod.yaml", "shared/shop.yaml"} == {
        str(path) for path in renderer.rendered[0][0].files
    }
    assert proof.diff.count("+      - image: ghcr.io/acme/shop:v2") == 2


def gathered(files: dict[str, str], *roots: str, links: dict[str, str] | None = None) -> Gathered:
    written = links or {}
    repository = FakeGitOpsRepository({**files, **written}, links=set(written))
    return gather(repository, repository.tip, [PurePosixPath(root) for root in roots])


def test_only_what_is_named_is_read() -> None:
    """
    A large repository costs no more than the kustomization that is promoted.
    """
    files = {
        "dev/kustomization.yaml": "Resources: [../base, ../mid, ./pod.yaml, gone.yaml, 7]\n"
        "patches: [{path: p.yaml}, {patch: 'a: b'}]\n"
        "configMapGenerator: [{name: c, files: [k=data/f, 7]}]\n",
        "dev/pod.yaml": "resources: [other.yaml]\n",
        "dev/other.yaml": "",
        "dev/p.yaml": "",
        "dev/data/f": "",
        "base/Kustomization": "transformers: ['path: t.yaml\\n', u.yaml, \"a\\nb: [\"]\n",
        "base/t.yaml": "",
        "base/u.yaml": "paths: [v.yaml]\n---\n- 1\n",
        "base/v.yaml": "",
        "base/readme.md": "",
        "mid/kustomization.yml": "bases: [../base]\n",
    }

    found = gathered(files, "dev")

    left = {"dev/other.yaml", "base/readme.md", "base/t.yaml"}
    assert {str(path) for path in found.sources.files} == files.keys() - left
    assert found.sources.outside == ()
    assert found.uses[PurePosixPath("dev")] == found.sources.files.keys()


def test_what_leads_out_of_the_repository_is_named() -> None:
    """
    Nothing outside is read, and Kustomize is not let loose there.
    """
    text = (
        "resources: [/etc/passwd, ../../up.yaml, https://example.com/a.yaml]\n"
        "configMapGenerator: [{files: ['k=HTTP://u:p@LocalHost:1/?a=b', 'http://[::1]/']}]\n"
    )

    found = gathered({"dev/kustomization.yaml": text}, "dev")

    assert found.sources.outside == (
        *("../../up.yaml", "/etc/passwd"),
        *("HTTP://u:p@LocalHost:1/?a=b", "http://[::1]/"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "patches: &a [*a, {path: p.yaml}]\n",
        "patches: &a {b: *a, path: p.yaml}\n",
        "x0: &a0 {path: p.yaml}\n"
        + "".join(f"x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
        + "patches: *a39\n",
        f"resources: [{'a/' * 5_000}, p.yaml]\n",
    ],
    ids=["a list in itself", "a mapping in itself", "aliases of aliases", "a path too long"],
)
def test_no_reference_is_followed_for_ever(text: str) -> None:
    """
    Kustomize refuses such a file in its own words; the run neither hangs nor ends in a traceback.
    """
    found = gathered({"dev/kustomization.yaml": text, "dev/p.yaml": ""}, "dev")

    assert PurePosixPath("dev/p.yaml") in found.sources.files


def test_links_are_followed_inside_only() -> None:
    """
    A link's target is read under its own name; one that leads out, or in a circle, is left out.
    """
    files = {
        "dev/kustomization.yaml": "resources: [base, out, loop, far]\n",
        "base/kustomization.yaml": "resources: [pod.yaml]\n",
        "base/pod.yaml": "",
    }
    links = {
        "dev/base": "../base",
        "dev/out": "/etc",
        "dev/loop": "loop",
        "dev/far": "out/../../..",
    }

    found = gathered(files, "dev", links=links)

    assert {str(path) for path in found.sources.files} == set(files)
    assert found.sources.links[PurePosixPath("dev/base")] == "../base"
    assert PurePosixPath("dev/out") not in found.sources.links
