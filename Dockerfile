# Built in one image, run in another that holds no shell, no package manager and no root.
#
#   docker build -t scim-rotator .
#   docker run --read-only --tmpfs /tmp --cap-drop all --security-opt no-new-privileges --stop-timeout 300 \
#     -v ./scim-rotator.toml:/etc/scim-rotator/scim-rotator.toml:ro -v ./secrets:/run/secrets:ro scim-rotator
#
# The bases can be replaced, by a mirror or by a digest: --build-arg BUILDER=… --build-arg RUNTIME=…
ARG BUILDER=docker.io/library/rust:1-bookworm
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILDER} AS builder
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
# The dependencies alone first: they take minutes, change rarely, and this layer is kept.
RUN mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
 && cargo build --release --locked --bin scim-rotator \
 && rm -r src
COPY build.rs ./
COPY src ./src
# Compiled in, for `config schema` and `explain`.
COPY config/*.schema.json ./config/
COPY docs/runbook ./docs/runbook
# Newer than what was built above, whatever time the files came with.
RUN find src -name '*.rs' -exec touch {} + && cargo build --release --locked --bin scim-rotator

FROM ${RUNTIME}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="scim-rotator" \
      org.opencontainers.image.description="Keeps the SCIM token of an Entra-provisioned application alive" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=builder /build/target/release/scim-rotator /usr/bin/scim-rotator
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/scim-rotator/
# By number, so that a cluster can see that it is not root.
USER 65532:65532
# TERM brings a rotation under way to its end: give it 300 s (--stop-timeout, terminationGracePeriodSeconds).
STOPSIGNAL SIGTERM
# The process, not the tokens: whoever restarts it for a token that needs a person helps nobody (`health --ready` tells of those).
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["/usr/bin/scim-rotator", "health"]
ENTRYPOINT ["/usr/bin/scim-rotator"]
CMD ["run"]
