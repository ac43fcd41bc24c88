# An image of Node without a shell, and one file of JavaScript. The file is the same for every architecture, so it is built
# once, on the architecture of the build machine. Only the base image differs.
#   docker build --build-arg VERSION=0.1.0 --tag kubevirt-telemetry:0.1.0 .
ARG BUILD_IMAGE=docker.io/library/node:24-trixie-slim@sha256:8ec5d7557396cfe32d21c3f9c13072355ceab22b584578ca4bb28af31120cffe
ARG BASE_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot@sha256:774b7d020b24214835769e24c3544835526cd0288f0b094eae48e8b2c2429a79

FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
# Install scripts of packages are not run: the bundle does not need their results.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY scripts/build.ts scripts/
COPY src src
RUN node scripts/build.ts

FROM ${BASE_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.title="kubevirt-telemetry" \
      org.opencontainers.image.description="Statistics of virtual machines, from libvirt to InfluxDB" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
ENV NODE_ENV=production
# Node's threads share two arenas of malloc instead of one each: 4 MiB less for an agent with 50 VMs.
ENV MALLOC_ARENA_MAX=2
COPY LICENSE /app/
COPY --from=build /src/dist/THIRD_PARTY_LICENSES.txt /src/dist/kubevirt-telemetry.js /app/
# Numeric, so that the kubelet can check that it is not root. The chart runs agents as another user.
USER 65532:65532
# V8 options for a small program that works in bursts: one helper thread, and a young generation that holds the objects of a
# cycle. SIGUSR1 would open the inspector, which runs any code.
ENTRYPOINT ["/nodejs/bin/node", "--disable-sigusr1", "--v8-pool-size=1", "--min-semi-space-size=2", "/app/kubevirt-telemetry.js"]
