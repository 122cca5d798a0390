package greeting_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"example.com/hello-gitops/internal/greeting"
)

func TestHandler(t *testing.T) {
	tests := []struct {
		name     string
		method   string
		path     string
		hostname string
		status   int
		body     string
	}{
		{"greets with the hostname", http.MethodGet, "/", "pod-1", http.StatusOK, "Hello from pod-1\n"},
		{"greets with any hostname", http.MethodGet, "/", "pod-2", http.StatusOK, "Hello from pod-2\n"},
		{"ignores the query", http.MethodGet, "/?name=x", "pod-1", http.StatusOK, "Hello from pod-1\n"},
		{"answers probes without a body", http.MethodGet, "/healthz", "pod-1", http.StatusNoContent, ""},
		{"knows no other path", http.MethodGet, "/admin", "pod-1", http.StatusNotFound, "404 page not found\n"},
		{"takes no other method", http.MethodPost, "/", "pod-1", http.StatusMethodNotAllowed, "Method Not Allowed\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			request := httptest.NewRequest(test.method, test.path, nil)
			response := httptest.NewRecorder()

			greeting.Handler(test.hostname).ServeHTTP(response, request)

			if response.Code != test.status {
				t.Errorf("status = %d, want %d", response.Code, test.status)
			}
			if got := response.Body.String(); got != test.body {
				t.Errorf("body = %q, want %q", got, test.body)
			}
		})
	}
}

func TestHandlerSaysThatItIsText(t *testing.T) {
	response := httptest.NewRecorder()

	greeting.Handler("<b>").ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/", nil))

	if got, want := response.Header().Get("Content-Type"), "text/plain; charset=utf-8"; got != want {
		t.Errorf("Content-Type = %q, want %q", got, want)
	}
}

func TestHandlerNamesTheMethodsItTakes(t *testing.T) {
	response := httptest.NewRecorder()

	greeting.Handler("pod-1").ServeHTTP(response, httptest.NewRequest(http.MethodDelete, "/healthz", nil))

	if got, want := response.Header().Get("Allow"), "GET, HEAD"; got != want {
		t.Errorf("Allow = %q, want %q", got, want)
	}
}
