# Build:            tools/image.sh -t bklite-package-init:1.0.0   (docker build, and the labels' arguments)
# With archives:    tools/image.sh --target bundle -t bklite-package-init-bundle:1.0.0   (copies ./packages)
# Through mirrors:  --build-arg REGISTRY=registry.example.com/library --build-arg NPM_REGISTRY=https://npm.example.com/
# With Podman 4:    --build-arg BUILDPLATFORM=linux/amd64 (or arm64: this machine's)
# Works with Docker 20.10's classic builder, which builds every stage above the wanted one: so ./packages always exists.
ARG REGISTRY=docker.io/library
# The base image, by tag and digest; the bot raises both (renovate.json). Empty: the tag alone counts. With a registry
# that holds an image of its own under that tag: --build-arg NODE_DIGEST=
ARG NODE_TAG=24.21.0-bookworm-slim
ARG NODE_DIGEST=

# Its results are the same on every platform, so it runs on the builder's own (the classic builder knows no BUILDPLATFORM).
FROM --platform=${BUILDPLATFORM:-linux} ${REGISTRY}/node:${NODE_TAG}${NODE_DIGEST:+@}${NODE_DIGEST} AS build
ARG NPM_REGISTRY
# An SBOM is to know the packages in the bundle, which the finished image does not show.
ARG BUILDKIT_SBOM_SCAN_STAGE=true
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# No install script is needed: esbuild's program comes in a package of its own, and the others only serve the tests.
RUN npm ci --ignore-scripts ${NPM_REGISTRY:+--registry="$NPM_REGISTRY"}
# esbuild reads tsconfig.json too: without it the program is not the one that the tests ran.
COPY tsconfig.json ./
COPY src src
COPY tools/build.ts tools/notices.ts tools/
ARG REVISION=unknown
RUN REVISION="$REVISION" npm run build
WORKDIR /image
# The image has no `env`: its program names node by its path. /lib64 is where x86_64 looks for the loader.
RUN mkdir -p app etc usr/local/bin \
 && cp -r /src/dist/parts app/ \
 && { echo '#!/usr/local/bin/node --expose-gc'; sed '1{/^#!/d;}' /src/dist/main.js; } >app/main.js \
 && chmod 755 app/main.js \
 && ln -s /app/main.js usr/local/bin/bklite-package-init \
 && ln -s lib lib64 \
 && echo 'hosts: files dns' >etc/nsswitch.conf \
 && printf '%s\n' root:x:0:0:root:/:/nologin package-init:x:65532:65532:package-init:/:/nologin >etc/passwd \
 && printf '%s\n' root:x:0: package-init:x:65532: >etc/group \
 && node /src/tools/notices.ts "Node.js $(node --version)=/usr/local/LICENSE" \
      "GNU C Library=/usr/share/doc/libc6/copyright" "libgcc, libstdc++=/usr/share/doc/libstdc++6/copyright" \
      >app/THIRD-PARTY-NOTICES
COPY LICENSE app/
COPY docs app/docs

# The program's own platform: node, and the libraries that it is linked with. Nothing runs here, so no emulation is needed.
FROM ${REGISTRY}/node:${NODE_TAG}${NODE_DIGEST:+@}${NODE_DIGEST} AS node

FROM scratch AS app
COPY --from=node /usr/lib/*-linux-gnu/ld-linux-*.so.* \
     /usr/lib/*-linux-gnu/libc.so.6 \
     /usr/lib/*-linux-gnu/libdl.so.2 \
     /usr/lib/*-linux-gnu/libgcc_s.so.1 \
     /usr/lib/*-linux-gnu/libm.so.6 \
     /usr/lib/*-linux-gnu/libpthread.so.0 \
     /usr/lib/*-linux-gnu/libstdc++.so.6 \
     /lib/
COPY --from=node /usr/local/bin/node /usr/local/bin/
COPY --from=build /image/ /
ARG VERSION=1.0.0
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="bklite-package-init" \
      org.opencontainers.image.description="Fills BlueKing Lite's probe packages: NATS Object Store and Postgres rows" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="MIT"
# The kernel hands a first line over as one argument, so the second flag is here (src/memory.ts).
ENV NODE_ENV=production NODE_OPTIONS=--max-semi-space-size=2 PATH=/usr/local/bin
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/node", "--expose-gc", "/app/main.js"]

# Readable for any user id, whatever the files' modes were.
FROM build AS packages
COPY packages /packages
RUN chmod -R a+rX /packages

FROM app AS bundle
COPY --from=packages /packages /packages

# Last, so that a plain `docker build .` gives the image without archives.
FROM app AS runtime
