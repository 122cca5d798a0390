"""The rendered proof with the real Kustomize, on commits of a real git server."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

from gitops_action.adapters.cancellation import Cancellation
from gitops_action.adapters.git import Git, GitOpsClone
from gitops_action.adapters.isolation import can_isolate
from gitops_action.adapters.kustomize import RENDER_USER, Kustomize
from gitops_action.adapters.process import Processes
from gitops_action.errors import CancelledError, EntryError, GitOpsError, ProofError, RenderError
from gitops_action.kustomization import ImageRequest, RenderedProof, plan_edits, prove_rendered
from gitops_action.model.image import ImageReference, Repository
from gitops_action.model.rendering import Sources
from gitops_action.model.secret import Secret
from tests.systems.git_server import GitServer
from tests.systems.recorder import Recorder

EXAMPLE = Path(__file__).parents[2] / "examples" / "hello-gitops" / "kustomize"
NAME = "acme/gitops"
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: shop
spec:
  containers:
  - image: shop
    name: shop
"""
SHOP = "images:\n- name: shop\n  newName: ghcr.io/acme/shop\n  newTag: v1\n"
OVERLAY = f"resources:\n- ../base\n{SHOP}"
BASE = {"base/kustomization.yaml": "resources:\n- pod.yaml\n", "base/pod.yaml": POD}


@dataclass
class Place:
    """A git server, and the one clone and Kustomize that work on it."""

    folder: Path
    server: GitServer
    kustomize: Kustomize
    clone: GitOpsClone
    requests: list[str] = field(default_factory=list)

    def prove(
        self,
        files: Mapping[str, str | bytes],
        *paths: str,
        entry: str = "shop",
        image: str = "ghcr.io/acme/shop",
        required: bool = False,
        modes: Mapping[str, str] | None = None,
    ) -> RenderedProof:
        """Commit files, edit the kustomizations at `paths`, and prove it."""
        if not self.server.path(NAME).exists():
            self.server.create(NAME, {"README.md": "hello\n"})
        self.server.commit(NAME, files, modes=modes)
        head = self.clone.head("main")
        edits = plan_edits(
            [PurePosixPath(path) for path in paths or ("overlay",)],
            requests=[ImageRequest(ImageReference(Repository(image), "v2"), entry)],
            tree=self.clone,
            head=head,
        )
        before = len(self.server.requests)
        proof = prove_rendered(
            edits, tree=self.clone, head=head, renderer=self.kustomize, required=required
        )
        self.requests = self.server.requests[before:]
        return proof


def processes() -> Processes:
    return Processes(Cancellation())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    clone, rendering = tmp_path / "clone", tmp_path / "rendering"
    clone.mkdir()
    with GitServer(tmp_path / "server") as server:
        yield Place(
            tmp_path,
            server,
            Kustomize(processes(), place=rendering, path=os.environ["PATH"]),
            GitOpsClone(
                Git(
                    url=server.url(NAME),
                    token=Secret(server.token),
                    directory=clone,
                    cancellation=Cancellation(),
                    env={"PATH": os.environ["PATH"]},
                )
            ),
        )
    assert not rendering.exists() or list(rendering.iterdir()) == []


def changed_lines(proof: RenderedProof) -> list[str]:
    return [
        line
        for line in proof.diff.splitlines()
        if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))
    ]


def test_the_example_is_proved(place: Place) -> None:
    """
    The overlay of the example renders one changed line, and little is asked for it.
    """
    files = {
        str(file.relative_to(EXAMPLE)): file.read_bytes()
        for file in EXAMPLE.rglob("*")
        if file.is_file()
    }

    proof = place.prove(
        files, "overlays/dev", entry="hello-gitops", image="ghcr.io/acme/hello-gitops"
    )

    assert changed_lines(proof) == [
        f"-      - image: ghcr.io/acme/hello-gitops:{'0' * 40}",
        "+      - image: ghcr.io/acme/hello-gitops:v2",
    ]
    assert proof.diff.startswith("--- a/overlays/dev Deployment/hello-gitops\n")
    assert (proof.unproved, proof.notices) == ((), ())
    # The overlay, its base, the base's manifests: one question each.
    assert len([one for one in place.requests if one.startswith("POST")]) <= 3


def test_everything_that_a_kustomization_names_is_there(place: Place) -> None:
    """
    Patches, generators, components, transformers, replacements and hidden files are read.
    """
    labelled = POD.replace("  name: shop\n", "  labels:\n    app: shop\n  name: shop\n", 1)
    files = {
        **BASE,
        "base/pod.yaml": labelled,
        "overlay/kustomization.yaml": OVERLAY
        + """\
components: [../parts/labels]
configMapGenerator:
- name: settings
  files: [files/a.txt, renamed=files/.hidden]
  envs: [.env]
secretGenerator:
- name: secrets
  env: secrets.env
patches:
- path: patch.yaml
- target: {kind: Pod}
  path: patch.json
patchesStrategicMerge: [merge.yaml]
replacements:
- path: replacement.yaml
transformers:
- prefix.yaml
- |-
  apiVersion: builtin
  kind: PatchTransformer
  metadata: {name: p}
  path: inner.yaml
generators: [generators]
configurations: [configuration.yaml]
crds: [crd.json]
openapi:
  path: schema.json
""",
        "overlay/files/a.txt": "a",
        "overlay/files/.hidden": "b",
        "overlay/.env": "C=d\n",
        "overlay/secrets.env": "E=f\n",
        "overlay/patch.yaml": "kind: Pod\napiVersion: v1\nmetadata:\n  name: shop\n"
        "  labels: {patched: yes1}\n",
        "overlay/patch.json": '[{"op": "add", "path": "/metadata/labels/json", "value": "x"}]',
        "overlay/merge.yaml": "kind: Pod\napiVersion: v1\nmetadata:\n  name: shop\n"
        "  labels: {merged: yes1}\n",
        "overlay/inner.yaml": "kind: Pod\napiVersion: v1\nmetadata:\n  name: shop\n"
        "  labels: {inner: yes1}\n",
        "overlay/replacement.yaml": "source: {kind: Pod, name: shop, fieldPath: metadata.name}\n"
        "targets:\n- select: {kind: Pod}\n  fieldPaths: [metadata.labels.patched]\n"
        "  options: {create: true}\n",
        "overlay/prefix.yaml": "apiVersion: builtin\nkind: PrefixTransformer\nmetadata:\n"
        "  name: p\nprefix: x-\nfieldSpecs:\n- path: metadata/name\n",
        "overlay/generators/kustomization.yaml": "resources: [generator.yaml]\n",
        "overlay/generators/generator.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\n"
        "metadata:\n  name: generated\nliterals: [a=b]\n",
        "overlay/configuration.yaml": "commonLabels: []\n",
        "overlay/crd.json": "{}",
        "overlay/schema.json": "{}",
        "parts/labels/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\n"
        "kind: Component\nresources: [more.yaml]\n",
        "parts/labels/more.yaml": labelled.replace("name: shop", "name: more", 1),
    }

    proof = place.prove(files)

    assert proof.unproved == ()
    assert (
        changed_lines(proof)
        == [
            "-  - image: ghcr.io/acme/shop:v1",
            "+  - image: ghcr.io/acme/shop:v2",
        ]
        * 2
    )


def test_files_outside_the_folder_are_read_and_said(place: Place) -> None:
    """
    What Argo CD can only render without load restrictions is proved, and told.
    """
    files = {"overlay/kustomization.yaml": f"resources: [../pod.yaml]\n{SHOP}", "pod.yaml": POD}

    proof = place.prove(files)

    assert len(changed_lines(proof)) == 2
    assert proof.unproved == ()
    assert "LoadRestrictionsNone" in proof.notices[0]


def test_no_file_outside_the_repository_is_read(place: Place) -> None:
    """
    A kustomization cannot show a file of the runner in the summary.
    """
    secret = place.folder / "secret"
    secret.write_text("canary")
    text = f"resources: [../pod.yaml]\nconfigMapGenerator:\n- name: a\n  files: [{secret}]\n{SHOP}"

    proof = place.prove({"overlay/kustomization.yaml": text, "pod.yaml": POD})

    assert proof.diff == ""
    (reason,) = proof.unproved
    assert reason == (
        f"overlay could not be rendered here, because it reads {secret} from outside the "
        "repository."
    )


def test_links_stay_inside(place: Place) -> None:
    """
    Symbolic links are followed in the repository, and nowhere else.
    """
    files = {
        **BASE,
        "overlay/kustomization.yaml": f"resources: [linked, more.yaml]\n{SHOP}",
        "overlay/linked": "../base",
        "overlay/more.yaml": "../elsewhere/more.yaml",
        "elsewhere/more.yaml": POD.replace("name: shop", "name: more", 1),
    }
    modes = {"overlay/linked": "120000", "overlay/more.yaml": "120000"}

    proof = place.prove(files, modes=modes)

    assert len(changed_lines(proof)) == 4

    (place.folder / "pod.yaml").write_text(POD)
    outside = {"overlay/more.yaml": f"{place.folder}/pod.yaml"}

    proof = place.prove(outside, modes={"overlay/more.yaml": "120000"})

    assert "no such file" in proof.unproved[0]


def test_a_linked_kustomization_is_rendered_where_the_link_is(place: Place) -> None:
    """
    Kustomize reads the files beside the link; across folders it needs to be let loose for that.
    """
    files = {
        "shared/shop.yaml": f"resources: [pod.yaml]\n{SHOP}",
        "shared/kustomization.yaml": "shop.yaml",
        "shared/pod.yaml": POD.replace("name: shop", "name: shared", 1),
        "dev/kustomization.yaml": "../shared/shop.yaml",
        "dev/pod.yaml": POD.replace("name: shop", "name: dev", 1),
    }
    modes = {"shared/kustomization.yaml": "120000", "dev/kustomization.yaml": "120000"}

    proof = place.prove(files, "shared", "dev", modes=modes)

    assert [line for line in proof.diff.splitlines() if line.startswith("---")] == [
        "--- a/shared Pod/shared",
        "--- a/dev Pod/dev",
    ]
    (notice,) = proof.notices
    assert notice.startswith("dev reads files outside its own folder")
    assert proof.unproved == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "resources:\n- github.com/acme/base?ref=v1\n",
            "it reads github.com/acme/base?ref=v1 from elsewhere, and nothing is fetched here",
        ),
        (
            "resources: ['https://example.com/pod.yaml']\n",
            "it reads https://example.com/pod.yaml from elsewhere, and nothing is fetched here",
        ),
        (
            "helmCharts:\n- name: redis\n  repo: https://example.com\n  version: 1.0.0\n",
            "it inflates a Helm chart, which is not done here",
        ),
        ("transformers: [plugin.yaml]\n", "it needs a plugin, and none is run here"),
    ],
    ids=["a remote base", "a remote file", "a helm chart", "a plugin"],
)
def test_what_cannot_be_rendered_here_is_said(place: Place, text: str, reason: str) -> None:
    """
    The edit stands where only the proof is missing, and not where the proof is required.
    """
    files = {
        "overlay/kustomization.yaml": text + SHOP,
        "overlay/plugin.yaml": "apiVersion: example.com/v1\nkind: Foo\nmetadata:\n  name: x\n",
    }

    proof = place.prove(files)

    assert proof.unproved == (f"overlay could not be rendered here, because {reason}.",)
    with pytest.raises(RenderError):
        place.prove(files, required=True)


@pytest.mark.parametrize(
    "text",
    [
        "resources: ['{}']\n",
        "resources: [pod.yaml]\nconfigMapGenerator:\n- name: a\n  files: ['k={}']\n",
        "resources: [pod.yaml]\npatches:\n- path: '{}'\n",
    ],
    ids=["a resource", "a generator", "a patch"],
)
def test_no_server_of_this_machine_is_asked(place: Place, text: str) -> None:
    """
    Go asks loopback addresses without a proxy: whoever writes the kustomization reads none of them.
    """
    asked = list[str]()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/pod.yaml"

        proof = place.prove(
            {"overlay/kustomization.yaml": text.format(url) + SHOP, "overlay/pod.yaml": POD}
        )

        with contextlib.suppress(TimeoutError):
            server.accept()[0].close()
            asked.append(url)

    assert asked == []
    (reason,) = proof.unproved
    assert reason == (
        f"overlay could not be rendered here, because it reads {url} from elsewhere, and nothing "
        "is fetched here."
    )


def test_what_was_broken_before_is_not_blamed_on_the_edit(place: Place) -> None:
    """
    The reason is Kustomize's own, without folders of this machine.
    """
    proof = place.prove({"overlay/kustomization.yaml": f"resources: [gone.yaml]\n{SHOP}"})

    (reason,) = proof.unproved
    assert reason.startswith("overlay was already broken before the edit: accumulating resources")
    assert "gone.yaml" in reason
    assert str(place.folder) not in reason


def test_a_name_that_matches_no_container_is_an_error(place: Place) -> None:
    """
    The run fails with the names that do exist.
    """
    files = {**BASE, "overlay/kustomization.yaml": OVERLAY.replace("name: shop", "name: shopp")}

    with pytest.raises(EntryError) as caught:
        place.prove(files, entry="shopp")

    assert "The images there are: `shop`." in caught.value.message
    assert "Did you mean `shop`?" in caught.value.hint


def test_what_depends_on_the_image_may_follow_it_and_nothing_more(place: Place) -> None:
    """
    A label that `replacements` fill with the tag changes with it; a name made of it does not pass.
    """
    follows = (
        "replacements:\n- source: {kind: Pod, fieldPath: 'spec.containers.0.image',"
        " options: {delimiter: ':', index: 1}}\n"
        "  targets:\n  - select: {kind: Pod}\n    fieldPaths: [metadata.labels.version]\n"
        "    options: {create: true}\n"
    )

    proof = place.prove({**BASE, "overlay/kustomization.yaml": OVERLAY + follows})

    assert "+    version: v2" in changed_lines(proof)
    assert proof.notices == ("overlay: Pod/shop: metadata.labels.version follows the image.",)

    hashed = (
        "  - select: {kind: ConfigMap}\n    fieldPaths: [data.version]\n"
        "configMapGenerator:\n- name: settings\n  literals: [version=unknown]\n"
        "patches:\n- patch: |\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: shop}\n"
        "    spec:\n      volumes: [{name: a, configMap: {name: settings}}]\n"
    )

    proof = place.prove({"overlay/kustomization.yaml": OVERLAY + follows + hashed})

    assert "overlay: Pod/shop: spec.volumes.0.configMap.name follows the image." in proof.notices

    odd = OVERLAY + follows.replace("delimiter: ':'", "delimiter: v")
    with pytest.raises(ProofError, match="would change more than the image"):
        place.prove({"overlay/kustomization.yaml": odd})


def test_a_component_is_proved_by_its_users(place: Place) -> None:
    """
    What renders nothing by itself is rendered where it is used, or said to be unproved.
    """
    component = f"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n{SHOP}"
    files = {
        **BASE,
        "part/kustomization.yaml": component,
        "overlay/kustomization.yaml": "resources: [../base]\ncomponents: [../part]\n"
        "images:\n- {name: ghcr.io/acme/shop, newTag: v1}\n",
    }

    alone = place.prove(files, "part", entry="")
    used = place.prove(files, "part", "overlay", entry="")

    (reason,) = alone.unproved
    assert reason == (
        "part could not be rendered here, because it renders nothing by itself and no other of "
        "the `kustomizations` uses it."
    )
    assert used.unproved == ()
    assert len(changed_lines(used)) == 2


def test_a_component_whose_image_nobody_uses_is_an_error(place: Place) -> None:
    """
    A component is applied before its user's own entries: here its entry comes too early.
    """
    renames = "- name: ghcr.io/acme/shop\n  newName: mirror/shop\n  newTag: v1\n"
    files = {
        **BASE,
        "part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\n"
        f"kind: Component\nimages:\n{renames}",
        "overlay/kustomization.yaml": f"{OVERLAY}components: [../part]\n",
    }

    with pytest.raises(EntryError, match="No container that part renders"):
        place.prove(files, "part", "overlay", entry="")


def test_a_base_is_rendered_as_well(place: Place) -> None:
    """
    Promoting a base and an overlay proves both.
    """
    files = {
        "base/kustomization.yaml": f"resources: [pod.yaml]\n{SHOP}",
        "base/pod.yaml": POD,
        "overlay/kustomization.yaml": "resources: [../base]\nimages:\n"
        "- {name: ghcr.io/acme/shop, newTag: v1}\n",
    }

    proof = place.prove(files, "base", "overlay", entry="")

    assert [line for line in proof.diff.splitlines() if line.startswith("---")] == [
        "--- a/base Pod/shop",
        "--- a/overlay Pod/shop",
    ]


def test_a_server_that_filters_nothing_serves_as_well(place: Place) -> None:
    """
    Where no object is given by its name, the clone is complete.
    """
    place.server.create(NAME, {"README.md": "hello\n"})
    for key in ("allowFilter", "allowAnySHA1InWant"):
        place.server.git(NAME, "config", f"uploadpack.{key}", "false")

    proof = place.prove({**BASE, "overlay/kustomization.yaml": OVERLAY})

    assert len(changed_lines(proof)) == 2


def test_a_server_that_is_gone_meanwhile_is_explained(place: Place) -> None:
    """
    A blob that cannot be had is the GitOps repository's failure, and not the kustomization's.
    """
    place.server.create(NAME, {"README.md": "hello\n", **BASE})
    head = place.clone.head("main")
    place.server.failures += [503] * 9

    with pytest.raises(GitOpsError):
        place.clone.contents(head, ["base/pod.yaml"])


def test_the_same_sources_are_rendered_once(place: Place) -> None:
    """
    A lost race costs no second rendering where nothing that is rendered has changed.
    """
    recorder = Recorder.of(["kustomize"], place.folder / "bin")
    place.kustomize = Kustomize(processes(), place=place.folder / "rendering", path=recorder.path)

    for number in range(3):
        place.prove({**BASE, "overlay/kustomization.yaml": OVERLAY, "README.md": f"{number}\n"})

    assert len(recorder.children()) == 2
    assert place.requests == []


def test_kustomize_sees_nothing_of_ours(place: Place) -> None:
    """
    Its whole environment is a home without programs, and a way out that leads nowhere.
    """
    recorder = Recorder.of(["kustomize"], place.folder / "bin")
    rendering = place.folder / "rendering"
    place.kustomize = Kustomize(processes(), place=rendering, path=recorder.path)

    place.prove({**BASE, "overlay/kustomization.yaml": OVERLAY})

    home = f"{rendering}/home"
    for child in recorder.children():
        assert child.argv == (
            str(recorder.folder / "kustomize"),
            "build",
            "--load-restrictor=LoadRestrictionsRootOnly",
            f"{rendering}/tree/overlay",
        )
        assert child.environment == {
            "PATH": home,
            "HOME": home,
            "TMPDIR": home,
            "HTTP_PROXY": "http://127.0.0.1:1",
            "HTTPS_PROXY": "http://127.0.0.1:1",
            "GIT_ALLOW_PROTOCOL": "none",
        }


@pytest.mark.skipif(not can_isolate(), reason="another user renders only where we are root")
def test_kustomize_runs_as_another_user() -> None:
    """
    It has neither our rights nor those of the tests, and leaves nothing behind.
    """
    with tempfile.TemporaryDirectory(prefix="kustomize-") as name:
        public = Path(name)
        public.chmod(0o755)
        program = public / "kustomize"
        program.write_text(
            "#!/bin/sh\n/usr/bin/id\n/usr/bin/grep -E 'NoNewPrivs|CapBnd' /proc/self/status\n"
        )
        program.chmod(0o755)
        kustomize = Kustomize(
            processes(),
            place=public / "place",
            path=f"{public}:{os.environ['PATH']}",
            user=RENDER_USER,
        )

        said = kustomize.render(Sources({PurePosixPath("a/b"): b""}, {}), PurePosixPath("a")).text

        shutil.copy(shutil.which("kustomize") or "", program)
        sources = Sources(
            {
                PurePosixPath("a/kustomization.yaml"): b"resources: [pod.yaml]\n",
                PurePosixPath("a/pod.yaml"): POD.encode(),
            },
            {},
        )
        rendered = kustomize.render(sources, PurePosixPath("a"))

        assert list((public / "place").iterdir()) == []
    assert said.splitlines()[0] == f"uid={RENDER_USER} gid={RENDER_USER} groups={RENDER_USER}"
    assert [line.split() for line in said.splitlines()[1:]] == [
        ["CapBnd:", "0" * 16],
        ["NoNewPrivs:", "1"],
    ]
    assert rendered.text == POD


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exec sleep 60", "it took longer than 0 s"),
        ("exec yes $(printf %0999d)", "it renders more than 32 MiB, or a line of more than 1 MiB"),
        ("exec cat /dev/zero", "it renders more than 32 MiB, or a line of more than 1 MiB"),
        ("exit 3", "kustomize ended with 3"),
    ],
)
def test_kustomize_is_limited(
    place: Place, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    """
    A kustomization that never ends, or never ends to print, costs a moment.
    """
    if "sleep" in script:
        monkeypatch.setattr("gitops_action.adapters.kustomize._SECONDS", 0.1)
    program = place.folder / "kustomize"
    program.write_text(f"#!/bin/sh\nPATH='{os.environ['PATH']}'\n{script}\n")
    program.chmod(0o755)
    kustomize = Kustomize(processes(), place=place.folder / "rendering", path=str(place.folder))

    rendering = kustomize.render(Sources({PurePosixPath("a/b"): b""}, {}), PurePosixPath("a"))

    assert rendering.failure == reason


def test_a_machine_without_kustomize_says_so(place: Place) -> None:
    """
    On a laptop the proof may be missing.
    """
    place.kustomize = Kustomize(processes(), place=place.folder / "rendering", path="/nowhere")

    proof = place.prove({**BASE, "overlay/kustomization.yaml": OVERLAY})

    assert proof.unproved == (
        "overlay could not be rendered here, because the program `kustomize` is not there.",
    )


def test_a_cancelled_rendering_leaves_nothing_behind(place: Place) -> None:
    """
    The copy of the GitOps repository is gone with the run.
    """
    cancellation = Cancellation()
    cancellation.cancel("stopped")
    kustomize = Kustomize(
        Processes(cancellation), place=place.folder / "rendering", path=os.environ["PATH"]
    )

    with pytest.raises(CancelledError):
        kustomize.render(Sources({PurePosixPath("a/b"): b""}, {}), PurePosixPath("a"))

    assert list((place.folder / "rendering").iterdir()) == []
