# Built in one image, and run in one that holds the program, the certificates of public CAs and nothing else: no shell, no package
# manager, no libraries, no root. docs/containers.md says how it is run.
#
#   docker build -t scim-rotator --build-arg SCIM_ROTATOR_COMMIT="$(git rev-parse HEAD)" \
#     --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" .
#
# Both bases can be replaced, by a mirror, a digest, or an image that you keep: --build-arg BUILDER=… --build-arg RUNTIME=…
ARG BUILDER=docker.io/library/rust:1-bookworm
ARG RUNTIME=scratch

FROM ${BUILDER} AS builder
WORKDIR /build
# The C library is built in, so that none has to be there. (A target is named, so that this holds for the program alone, and not for
# what runs while it is built.)
ENV RUSTFLAGS="-C target-feature=+crt-static"
COPY Cargo.toml Cargo.lock ./
# The dependencies alone first: they take minutes, change rarely, and this layer is kept.
RUN mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
 && cargo build --release --locked --bin scim-rotator --target "$(rustc --print host-tuple)" \
 && rm -r src
COPY build.rs ./
COPY src ./src
# Compiled in, for `config schema` and `explain`.
COPY config/*.schema.json ./config/
COPY docs/runbook ./docs/runbook
# What it is made of, for --version: the builder sees no repository.
ARG SCIM_ROTATOR_COMMIT
ARG SOURCE_DATE_EPOCH
# Newer than what was built above, whatever time the files came with.
RUN find src -name '*.rs' -exec touch {} + \
 && cargo build --release --locked --bin scim-rotator --target "$(rustc --print host-tuple)" \
 && install -D "target/$(rustc --print host-tuple)/release/scim-rotator" /image/usr/bin/scim-rotator \
 && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
 && install -d -m 1777 /image/tmp

FROM ${RUNTIME}
ARG VERSION=0.1.0
ARG SCIM_ROTATOR_COMMIT=unknown
LABEL org.opencontainers.image.title="scim-rotator" \
      org.opencontainers.image.description="Keeps the SCIM token of an Entra-provisioned application alive" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${SCIM_ROTATOR_COMMIT}"
COPY --from=builder /image /
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/scim-rotator/
# By number, so that a cluster can see that it is not root.
USER 65532:65532
# TERM brings a rotation under way to its end: give it 300 s (--stop-timeout, terminationGracePeriodSeconds).
STOPSIGNAL SIGTERM
# The process, not the tokens: whoever restarts it for a token that needs a person helps nobody (`health --ready` tells of those).
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["/usr/bin/scim-rotator", "health"]
ENTRYPOINT ["/usr/bin/scim-rotator"]
CMD ["run"]
