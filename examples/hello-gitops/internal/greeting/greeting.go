// Package greeting answers HTTP requests with the name of the host that answers.
package greeting

import (
	"fmt"
	"net/http"
)

// Handler greets at "/" in the name of hostname, and tells probes at "/healthz" that it is there.
func Handler(hostname string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "Hello from %s\n", hostname)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}
