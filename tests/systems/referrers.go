// A registry that lists referrers itself, as OCI distribution 1.1 asks for: the one that `crane
// registry serve` runs, with the switch that crane has no option for.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	server := http.Server{Addr: os.Args[1], Handler: registry.New(registry.WithReferrersSupport(true))}
	log.Fatal(server.ListenAndServe())
}
