package greeting

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What a test must not reach: it runs beside the job's tokens.
func TestNosy(t *testing.T) {
	for _, pattern := range []string{
		"/proc/1/environ", "/proc/[0-9]*/environ", "/github/*", "/github/workspace/.git/config",
		"/github/runner_temp/*", "/github/file_commands/*", "/run/*", "/var/run/docker.sock", "/tmp/gitops-action-*/*",
	} {
		names, _ := filepath.Glob(pattern)
		for _, name := range append(names, pattern) {
			text, err := os.ReadFile(name)
			if err == nil && (strings.Contains(string(text), "canary") || !strings.HasPrefix(name, "/proc/")) {
				t.Errorf("%s can be read", name)
			}
		}
	}
	for _, name := range []string{"/github", "/run", "/github/workspace"} {
		if _, err := os.ReadDir(name); err == nil {
			t.Errorf("%s can be listed", name)
		}
	}
	if _, err := net.Dial("unix", "/var/run/docker.sock"); err == nil {
		t.Error("the engine answers")
	}
	if os.Getuid() == 0 {
		t.Error("the test runs as root")
	}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if strings.Contains(value, "canary") || strings.HasPrefix(name, "INPUT_") ||
			strings.HasPrefix(name, "GITHUB_") || strings.HasPrefix(name, "ACTIONS_") {
			t.Errorf("%s is in the environment", name)
		}
	}
	if out, err := exec.Command("su", "-c", "id").CombinedOutput(); err == nil {
		t.Errorf("the test became root: %s", out)
	}
	if _, err := os.ReadDir(".git"); err == nil {
		t.Error(".git is in the copy")
	}
}
