"""Names of images, by the grammar of the OCI distribution."""

from __future__ import annotations

import pytest

from gitops_action.model.image import Digest, ImageReference, Repository, is_tag


@pytest.mark.parametrize(
    ("name", "registry"),
    [
        ("ghcr.io/acme/shop", "ghcr.io"),
        ("localhost/shop", "localhost"),
        ("127.0.0.1:5000/acme/shop", "127.0.0.1:5000"),
        ("Registry.Example.com:5000/shop", "Registry.Example.com:5000"),
        ("acme/shop", "docker.io"),
        ("shop", "docker.io"),
        ("docker.io/acme/shop", "docker.io"),
        ("[2001:db8::1]:5000/shop", "[2001:db8::1]:5000"),
        ("ghcr.io/a-b__c.d/e--f", "ghcr.io"),
    ],
)
def test_knows_the_registry_of_a_repository(name: str, registry: str) -> None:
    """
    Credentials go to the registry that the image names, and to no other.
    """
    repository = Repository(name)

    assert repository.registry == registry
    assert str(repository) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ghcr.io/Acme/shop",
        "Acme/shop",
        "ghcr.io/acme/shop:tag",
        "ghcr.io/acme/shop\n",
        "https://ghcr.io/acme/shop",
        "ghcr.io//shop",
        "ghcr.io/acme/shop/",
        "-shop",
        "a" * 256,
    ],
)
def test_refuses_what_is_no_repository(name: str) -> None:
    """
    A name that no registry would take is found before anything is built.
    """
    with pytest.raises(ValueError, match="is not an image repository"):
        Repository(name)


def test_names_the_letters_that_a_repository_must_not_have() -> None:
    """
    An owner with capital letters, as `github.repository` has it, is said to be the reason.
    """
    with pytest.raises(ValueError, match="write it in lower case"):
        Repository("ghcr.io/Acme/shop")


@pytest.mark.parametrize("tag", ["1", "v1.2.3", "_x", "A-b.c", "a" * 128])
def test_takes_every_tag_of_the_grammar(tag: str) -> None:
    """
    Literal tags may be all that a registry takes.
    """
    assert is_tag(tag)


@pytest.mark.parametrize("tag", ["", ".x", "-x", "a+b", "a b", "ä", "x\n", "a/b", "a" * 129])
def test_refuses_what_is_no_tag(tag: str) -> None:
    """
    An illegal tag is found before anything is built.
    """
    with pytest.raises(ValueError, match="is not an image tag"):
        ImageReference(Repository("ghcr.io/acme/shop"), tag)


def test_writes_a_reference_with_its_digest() -> None:
    """
    The output `image` is `repository:tag@digest`, and `tagged` is what is pushed.
    """
    digest = Digest(f"sha256:{'a' * 64}")

    reference = ImageReference(Repository("ghcr.io/acme/shop"), "1.0", digest)

    assert str(reference) == f"ghcr.io/acme/shop:1.0@sha256:{'a' * 64}"
    assert reference.tagged == "ghcr.io/acme/shop:1.0"


@pytest.mark.parametrize("ending", [":v1", f"@sha256:{'a' * 64}", f":v1@sha256:{'a' * 64}"])
@pytest.mark.parametrize("name", ["shop", "ghcr.io/acme/shop", "localhost:5000/acme/shop"])
def test_reads_what_it_writes(name: str, ending: str) -> None:
    """
    A port is no tag, and a tag, a digest or both name one image.
    """
    assert str(ImageReference.parse(name + ending)) == name + ending
    assert ImageReference.parse(name) == Repository(name)


@pytest.mark.parametrize("text", ["shop:", "shop@", "shop:@", "shop:v1@v2", "shop:a+b", ":v1", "@"])
def test_refuses_half_a_reference(text: str) -> None:
    """
    An empty expression in the workflow is not taken for the whole repository.
    """
    with pytest.raises(ValueError, match="is not"):
        ImageReference.parse(text)


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:xyz", f"sha256:{'A' * 64}", "a" * 64])
def test_refuses_what_is_no_digest(text: str) -> None:
    """
    An answer that is no digest is never taken for one.
    """
    with pytest.raises(ValueError, match="is not a digest"):
        Digest(text)
