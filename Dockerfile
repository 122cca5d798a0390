# hadolint global ignore=DL3059
# The action's own image. Plain instructions only, so that any engine builds it; pre-built by the
# release, because a runner that builds it pays for that in every job.
ARG DEBIAN=debian:trixie-slim

FROM golang:1.26-trixie AS programs
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-trimpath -buildvcs=false"
# One layer each, slowest first: a new pin compiles that program and those below it.
RUN GOBIN=/programs go install -ldflags="-s -w" github.com/docker/buildx/cmd/buildx@v0.38.2
RUN GOBIN=/programs go install -ldflags="-s -w" github.com/google/ko@v0.19.1
RUN GOBIN=/programs go install -ldflags="-s -w" sigs.k8s.io/kustomize/kustomize/v5@v5.8.1
RUN GOBIN=/programs go install -ldflags="-s -w" github.com/google/go-containerregistry/cmd/crane@v0.22.1
# Go's own tests and documents are 90 MB that no build reads.
RUN rm -rf /usr/local/go/test /usr/local/go/doc /usr/local/go/api /usr/local/go/misc \
    && find /usr/local/go/src \( -name "*_test.go" -o -name testdata \) -prune -exec rm -rf {} +
# The standard library, compiled and vetted as for tests, and compiled as ko does: 20 s of every job
# on two cores. Who imports all of it in a test has all of it done.
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN GOCACHE=/go-build/ko go build std
WORKDIR /warm/none
RUN echo "package none" >none.go
WORKDIR /warm
RUN go mod init warm \
    && { echo "package warm"; go list std | grep -vE "(^|/)(internal|vendor)(/|$)" | sed 's|.*|import _ "&"|'; } >warm_test.go \
    && GOFLAGS="" GOCACHE=/go-build/tests go test -coverprofile=/tmp/profile ./... \
    && rm -f /go-build/*/trim.txt

FROM ${DEBIAN} AS packages
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-pip \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.txt /tmp/requirements.txt
RUN python3 -m pip install --no-cache-dir --break-system-packages --no-deps --only-binary=:all: \
    --require-hashes --requirement /tmp/requirements.txt
# `python3 -I` sees neither PYTHONPATH nor the folder of its script: the package goes where it looks.
COPY gitops_action /usr/local/lib/python3.13/dist-packages/gitops_action
RUN python3 -m compileall -q /usr/local/lib/python3.13/dist-packages/gitops_action

FROM ${DEBIAN}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates docker-cli gcc git libc6-dev openssh-client python3 \
    # 30 MB that look into object files of link-time optimisation.
    && rm -rf /var/lib/apt/lists/* /usr/bin/*-lto-dump-*
COPY --from=programs /usr/local/go /usr/local/go
COPY --from=programs /programs/ko /programs/crane /programs/kustomize /usr/local/bin/
COPY --from=programs /programs/buildx /usr/libexec/docker/cli-plugins/docker-buildx
COPY --from=packages /usr/local/lib/python3.13 /usr/local/lib/python3.13
COPY action.yml entrypoint.py /opt/gitops-action/
# Tests run as another user: what the runner mounts (/github: the workspace, the event, the file
# commands; /run: the engine's socket) is closed to it, and /verify, where its copy lies, is not
# listed.
RUN mkdir -p /github /verify && chmod 0700 /github /run && chmod 0711 /verify
# Each user adds to his own cache; what is the image's is root's, and the sticky bit of its folders
# lets nobody remove, rename or replace it.
COPY --from=programs /go-build/tests /verify/go-build
COPY --from=programs /go-build/ko /verify/go-build-ko
RUN find /verify/go-build -type d -exec chgrp 65534 {} + -exec chmod 1770 {} + \
    && find /verify/go-build-ko -type d -exec chgrp 65532 {} + -exec chmod 1770 {} +
ENV PATH=/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin
# No USER: the runner's files can be reached by root only.
ENTRYPOINT ["/opt/gitops-action/entrypoint.py"]
