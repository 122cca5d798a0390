"""What the runner reads, byte by byte."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest

from gitops_action.adapters.runner import Runner
from gitops_action.adapters.terminal import Terminal
from gitops_action.errors import RunnerError
from gitops_action.model.log import Annotation, HeldLog, Level
from gitops_action.model.secret import Secret
from gitops_action.model.source import Location


def test_an_annotation_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A message of several lines with every special character arrives whole.
    """
    place = Location(PurePosixPath("a,b/x_test.go"), 7)

    Runner(None).annotate(Annotation(Level.ERROR, "50%\nof it: no", "A: title", place))

    assert capsys.readouterr().out == (
        "::error title=A%3A title,file=a%2Cb/x_test.go,line=7,endLine=,col=,endColumn=::"
        "50%25%0Aof it: no\n"
    )


def test_an_annotation_is_relative_to_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    """
    With a `path:` of actions/checkout, GitHub knows files by their names in the repository.
    """
    runner = Runner(None)
    runner.repository = PurePosixPath("app")

    for file in ("app/x_test.go", "apple/x_test.go"):
        runner.annotate(Annotation(Level.ERROR, "no", "", Location(PurePosixPath(file), 7)))

    printed = capsys.readouterr().out
    assert "file=x_test.go," in printed
    assert "file=apple/x_test.go," in printed


def test_a_group_is_opened_and_closed(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Lines of one thing are folded together.
    """
    runner = Runner(None)

    with runner.group("Details"):
        runner.say("inside")

    assert capsys.readouterr().out == "::group::Details\ninside\n::endgroup::\n"


@pytest.mark.parametrize(
    "line",
    ["::error::forged", "   ::set-output name=a::b", "text ##[error]forged", "a\r::add-mask::x"],
)
def test_commands_in_foreign_text_are_inert(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A test cannot speak to the runner by printing.
    """
    Runner(None).foreign(line)

    _assert_fenced(line, capsys)


@pytest.mark.parametrize("quoted", ["said\n::add-mask::x", "said\r  ::error::forged"])
def test_commands_that_our_own_words_quote_are_inert(
    quoted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    A message of several lines that quotes a compiler or a server is no command in any of them.
    """
    Runner(None).say(quoted)

    _assert_fenced(quoted, capsys)


def _assert_fenced(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    fence = re.fullmatch(
        r"::stop-commands::(fence-[0-9a-f]{32})\n(.*)\n::\1::\n", capsys.readouterr().out, re.DOTALL
    )
    assert fence
    assert fence[2] == line


def test_plain_foreign_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """
    The log stays readable where there is nothing to fence.
    """
    Runner(None).foreign("ok  \tshop\t0.01s")

    assert capsys.readouterr().out == "ok  \tshop\t0.01s\n"


def test_a_secret_is_masked_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A key of several lines is hidden in each of them.
    """
    Runner(None).mask(Secret("one\n\n two "))

    assert capsys.readouterr().out == "::add-mask::one\n::add-mask::two\n"


def test_outputs_may_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A value of several lines reaches the next step as it was.
    """
    file = tmp_path / "output"
    file.touch()
    monkeypatch.setenv("GITHUB_OUTPUT", str(file))

    Runner(None).set_outputs({"result": "failed", "empty": "", "lines": "a=b\nc<<d"})

    written = file.read_text()
    assert re.search(r"^result<<(\S+)\nfailed\n\1\n", written)
    assert re.search(r"^empty<<(\S+)\n\n\1\n", written, re.MULTILINE)
    assert re.search(r"^lines<<(\S+)\na=b\nc<<d\n\1\n", written, re.MULTILINE)


def test_a_missing_output_file_is_an_error_of_the_runner(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """
    Outputs that cannot be written never pass in silence.
    """
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "gone"))

    with pytest.raises(RunnerError) as caught:
        Runner(None).set_outputs({"result": "healthy"})

    assert "GITHUB_OUTPUT" in caught.value.hint


def test_a_summary_above_the_limit_is_cut(tmp_path: Path) -> None:
    """
    A huge summary is shortened, because GitHub would drop the whole of it.
    """
    file = tmp_path / "summary"

    Runner(file).write_summary("ä" * 1_000_000)

    assert len(file.read_bytes()) <= 1024 * 1024
    assert "Cut" in file.read_text()


def test_a_terminal_shows_no_commands_and_no_secrets(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """
    On a laptop the log reads as a person expects.
    """
    terminal = Terminal(tmp_path / "summary.md")
    terminal.mask(Secret("canary"))

    with terminal.group("Build"):
        terminal.foreign("pulling with canary\ndone")
    for message in ("careful", "x.go:3: again"):
        place = Location(PurePosixPath("x.go"), 3)
        terminal.annotate(Annotation(Level.WARNING, message, "", place))
    terminal.set_outputs({"result": "healthy", "failure": ""})
    terminal.write_summary("# Done\n")

    assert capsys.readouterr().out == (
        "▸ Build\n  | pulling with ***\n  | done\nwarning: x.go:3: careful\n"
        "warning: x.go:3: again\n"
        "▸ outputs\nresult=healthy\n"
    )
    assert (tmp_path / "summary.md").read_text() == "# Done\n"


def test_held_lines_come_out_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Two stages that run at once are read one after the other.
    """
    held = HeldLog()
    with held.group("Building"):
        held.say("one")
    held.foreign("two")
    held.annotate(Annotation(Level.NOTICE, "three"))
    before = capsys.readouterr().out

    held.release(Terminal(None))
    held.release(Terminal(None))

    assert before == ""
    assert capsys.readouterr().out == "Building\none\n  | two\nnotice: three\n"
