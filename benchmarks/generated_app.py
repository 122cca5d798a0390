"""A Go app of many packages, as large as asked for, with a test in each and a Dockerfile."""

from __future__ import annotations

from pathlib import Path

# Imported by some packages each, as an app does: every one of them costs its linker time.
_LIBRARIES = ("encoding/json", "net/http", "regexp", "text/template", "encoding/xml")
_USES = {
    "encoding/json": "_, _ = json.Marshal(items)",
    "net/http": 'items["path"] = len(http.MethodGet)',
    "regexp": 'items["match"] = len(regexp.QuoteMeta("a.b"))',
    "text/template": 'items["page"] = len(template.HTMLEscapeString("<b>"))',
    "encoding/xml": "_, _ = xml.Marshal(number)",
}
_DOCKERFILE = """FROM golang:1.26-trixie AS build
WORKDIR /src
COPY go.mod ./
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /app ./cmd/app

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /app /app
ENTRYPOINT ["/app"]
"""
_PACKAGE = """// Package p{number} counts and sorts.
package p{number}

import (
{imports})

// Salt is what a developer changes.
const Salt = "{number}"

// Item is something with a name.
type Item struct {{
	Name  string
	Count int
}}

// Sum adds up what the names weigh.
func Sum(names []string) int {{
	items := map[string]int{{}}
	for _, name := range names {{
		items[strings.ToLower(name)] += len(name)
	}}
	number := len(items)
	{use}
	sorted := make([]Item, 0, number)
	for name, count := range items {{
		sorted = append(sorted, Item{{Name: name, Count: count}})
	}}
	sort.Slice(sorted, func(one, other int) bool {{ return sorted[one].Name < sorted[other].Name }})
	total := 0
	for _, item := range sorted {{
		total += item.Count
	}}
	return total{calls}
}}

// Describe says what Sum has found.
func Describe(names []string) string {{
	return fmt.Sprintf("%s: %d of %d", Salt, Sum(names), len(names))
}}
"""
_TEST = """package p{number}

import "testing"

func TestSum(t *testing.T) {{
	for _, names := range [][]string{{nil, {{"a"}}, {{"a", "B", "b"}}}} {{
		t.Run("names", func(t *testing.T) {{
			if Sum(names) < len(names) {{
				t.Errorf("Sum(%v) = %d", names, Sum(names))
			}}
		}})
	}}
}}

func TestDescribe(t *testing.T) {{
	if Describe(nil) == "" {{
		t.Error("nothing is said")
	}}
}}
"""


def write_app(folder: Path, packages: int) -> Path:
    """Write a module whose packages form a tree, all below `cmd/app`; name the one to change.

    A change of that one leaves most of the others as they were compiled.
    """
    _write(folder / "go.mod", "module example.com/app\n\ngo 1.26\n")
    _write(folder / "Dockerfile", _DOCKERFILE)
    for number in range(packages):
        children = [child for child in (2 * number + 1, 2 * number + 2) if child < packages]
        library = _LIBRARIES[number % len(_LIBRARIES)]
        text = _PACKAGE.format(
            number=number,
            use=_USES[library],
            imports=_imports(library, children),
            calls="".join(f" + p{child}.Sum(nil)" for child in children),
        )
        _write(folder / f"internal/p{number}/p{number}.go", text)
        _write(folder / f"internal/p{number}/p{number}_test.go", _TEST.format(number=number))
    main = (
        'package main\n\nimport (\n\t"fmt"\n\t"os"\n\n\t"example.com/app/internal/p0"\n)\n\n'
        "func main() { fmt.Println(p0.Describe(os.Args)) }\n"
    )
    _write(folder / "cmd/app/main.go", main)
    return Path(f"internal/p{packages // 2}/p{packages // 2}.go")


def _imports(library: str, children: list[int]) -> str:
    """Write them as gofmt does."""
    own = sorted(f"example.com/app/internal/p{child}" for child in children)
    groups = [sorted(["fmt", library, "sort", "strings"]), own]
    return "\n".join("".join(f'\t"{name}"\n' for name in group) for group in groups if group)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
