# The image: one static binary, the licences, and nothing else; no shell, no libraries, no users.
#
#   docker build -t wecom-meeting-proxy .
#   docker run -p 8080:8080 -v ./config.toml:/etc/wecom-meeting-proxy/config.toml:ro wecom-meeting-proxy
#
# In a container, `server.listen` has to be "0.0.0.0:8080" (and `access.mode` be thought about), and
# `admin.listen` "0.0.0.0:9090" if probes and scrapers come from outside of it. That is left to the
# settings: a variable set here would overrule what the file says.
#
# With `--target simulator`, a WeCom to try it on comes out instead. deploy/compose.yaml has both,
# and deploy/test-image.sh builds and tries all of it.

# Pinned by its digest; the tag is for people. The digest stands as others who pin this tag have it, for
# no registry was at hand here: before a release, have yours say what it is, and pass it on.
#
#   docker buildx imagetools inspect docker.io/library/rust:1.95.0-slim-bookworm
#   docker build --build-arg BUILD_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm@sha256:... .
ARG BUILD_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082
ARG RUNTIME_IMAGE=scratch

# ---------------------------------------------------------------------------------------- build

FROM ${BUILD_IMAGE} AS dependencies

# What to build for: the builder's own kind, so that `--platform linux/arm64` is enough where there is a
# builder of that kind. Another triple needs a BUILD_IMAGE that has its standard library and its linker.
ARG TARGET=host-tuple
ARG CARGO_AUDITABLE=0.7.7

# For the C that is in it. Whichever make the base has: nothing of it is left in the image.
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*

# Cargo reads these where they are given, and else what Cargo.toml says. To see in a hurry whether an image
# can be made at all, or to show it (deploy/compose.yaml); never for a release.
ARG CARGO_PROFILE_RELEASE_LTO
ARG CARGO_PROFILE_RELEASE_OPT_LEVEL
ARG CARGO_PROFILE_RELEASE_CODEGEN_UNITS

# Before the flags below: it has macros, which cannot be static.
RUN cargo install --locked cargo-auditable --version "${CARGO_AUDITABLE}"

# Static, with glibc and not with musl, as measured: a hit took 16.0 µs of a processor's time, with musl
# 17.8 (medians of 14 times 100,000); the file has 13.6 MB against 12.6, the idle process 9.5 MiB against
# 8.3, and both are ready within 4 ms. A BUILD_IMAGE whose Rust is for musl makes that of it all the same.
#
# With --target, these are for what is built, and not for the macros and scripts that build it. Random
# numbers come from the kernel itself: a static program would look for it in vain, and open a device.
ENV CARGO_INCREMENTAL=0 \
    RUSTFLAGS="-C target-feature=+crt-static --cfg getrandom_backend=\"linux_getrandom\""

WORKDIR /build

# What we depend on, with next to nothing of ours: a layer that stays until a manifest changes.
COPY .cargo/config.toml .cargo/
COPY Cargo.toml Cargo.lock build.rs ./
COPY simulator/Cargo.toml simulator/
RUN mkdir -p src simulator/src \
    && echo '//! Nothing yet.' > src/lib.rs \
    && cp src/lib.rs simulator/src/ \
    && printf '//! Nothing yet.\nfn main() {}\n' > src/main.rs \
    && cargo auditable build --release --locked --target "${TARGET}" --bin wecom-meeting-proxy

# Ours. Files keep their dates when they are copied, and may be older than the empty crate above.
FROM dependencies AS build-simulator
COPY simulator/src simulator/src
RUN find simulator/src -type f -exec touch {} + \
    && cargo auditable build --release --locked --target "${TARGET}" --package wecom-simulator \
    && install -D target/*/release/wecom-simulator /image/wecom-simulator
COPY LICENSE-APACHE LICENSE-MIT /image/licenses/

FROM dependencies AS build
COPY src src
RUN find src -type f -exec touch {} + \
    && cargo auditable build --release --locked --target "${TARGET}" --bin wecom-meeting-proxy \
    && install -D target/*/release/wecom-meeting-proxy /image/wecom-meeting-proxy
COPY LICENSE-APACHE LICENSE-MIT /image/licenses/

# ------------------------------------------------------------------------- image of the simulator

# For demonstrations: it answers anybody, and lets anybody make trouble.
FROM ${RUNTIME_IMAGE} AS simulator

LABEL org.opencontainers.image.title="wecom-simulator" \
      org.opencontainers.image.description="A WeCom small enough to hold in the hand: for tests and demonstrations" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"

COPY --from=build-simulator /image /
USER 65532:65532
EXPOSE 9999
STOPSIGNAL SIGTERM
ENTRYPOINT ["/wecom-simulator"]
CMD ["--listen", "0.0.0.0:9999"]

# ------------------------------------------------------------------------- image of the service

FROM ${RUNTIME_IMAGE} AS service

ARG REVISION=unknown
ARG VERSION=0.1.0

LABEL org.opencontainers.image.title="wecom-meeting-proxy" \
      org.opencontainers.image.description="Meeting details from WeCom for internal services: one token, one cache, one JSON" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.version="${VERSION}"

COPY --from=build /image /

# `config.toml` is read from here if it is there.
WORKDIR /etc/wecom-meeting-proxy

# By number: there is no list of users, and platforms that demand one that is not root need a number.
USER 65532:65532

EXPOSE 8080 9090

# Asks where operators come in; its own patience is 5 s.
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s --retries=3 \
    CMD ["/wecom-meeting-proxy", "healthcheck"]

# Drains: see server.drain_delay and server.drain_timeout, and give it longer than both together.
STOPSIGNAL SIGTERM

ENTRYPOINT ["/wecom-meeting-proxy"]
