package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestServeFinishesRequestsUnderWay(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel() // as SIGTERM does, in the middle of a request
		select {
		case <-r.Context().Done(): // cut off
		case <-time.After(100 * time.Millisecond):
			io.WriteString(w, "finished")
		}
	})
	listener := listen(t)
	stopped := make(chan error, 1)
	go func() { stopped <- serve(ctx, listener, handler) }()

	response, err := http.Get("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}

	if got, want := string(body), "finished"; got != want {
		t.Errorf("body = %q, want %q", got, want)
	}
	if err := <-stopped; err != nil {
		t.Errorf("serve() = %v, want nil", err)
	}
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	listener := listen(t)
	listener.Close()

	if err := serve(t.Context(), listener, http.NotFoundHandler()); err == nil {
		t.Error("serve() = nil, want an error")
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}
