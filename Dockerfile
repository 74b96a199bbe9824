# Build:            docker build -t bklite-package-init:1.0.0 .
# With archives:    docker build --target bundle -t bklite-package-init-bundle:1.0.0 .   (copies ./packages)
# Works with Docker 20.10's classic builder, which builds every stage above the wanted one: so ./packages always exists.
FROM node:24.21.0-bookworm-slim AS base

FROM base AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# No install script is needed: esbuild's program comes in a package of its own, and the others only serve the tests.
RUN npm ci --ignore-scripts
COPY src src
RUN npm run build

FROM base AS app
ARG VERSION=1.0.0
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="bklite-package-init" \
      org.opencontainers.image.description="Fills BlueKing Lite's probe packages: NATS Object Store and Postgres rows" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production
COPY --from=build /src/dist/main.js /app/main.js
USER 65532:65532
ENTRYPOINT ["node", "/app/main.js"]

FROM app AS bundle
COPY --chown=65532:65532 packages /packages

# Last, so that a plain `docker build .` gives the image without archives.
FROM app AS runtime
