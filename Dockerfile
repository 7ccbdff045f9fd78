# Knockgate's image, for linux/amd64 and linux/arm64: nothing here names an architecture, so build it once on each.
#
#     docker build -t knockgate --build-arg REVISION=$(git rev-parse HEAD) .
#
# BASE is any Debian 12 with Node in /usr/local. The addons are built for that Node, so both stages begin with the same one.
ARG BASE=node:24-bookworm-slim

FROM ${BASE} AS compiled
WORKDIR /opt/knockgate
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN node_modules/.bin/tsc -p tsconfig.build.json && chmod 755 dist/main.js

FROM ${BASE} AS installed
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends g++ libpcap-dev make python3
WORKDIR /opt/knockgate
COPY package.json package-lock.json .npmrc ./
# The base has Node's headers: node-gyp downloads none.
RUN npm_config_nodedir=/usr/local npm ci --omit=dev --no-audit --no-fund
COPY deploy/image/strip-program.sh /tmp/
RUN sh /tmp/strip-program.sh
COPY --from=compiled /opt/knockgate/dist dist
RUN node -e 'require("pcap"); require("koffi")' && dist/main.js --version

FROM ${BASE} AS system
COPY deploy/image/strip-system.sh /tmp/
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends iproute2 libnftables1 libpcap0.8 nftables \
 && sh /tmp/strip-system.sh
RUN ln -s /opt/knockgate/dist/main.js /usr/local/bin/knockgate \
 && mkdir -m 0700 /var/lib/knockgate /run/knockgate

# One layer of the system and one of the program: what was removed above takes no room below.
FROM scratch
COPY --from=system / /
COPY --from=installed /opt/knockgate /opt/knockgate
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Knockgate" \
      org.opencontainers.image.description="A port-knocking gateway: guarded ports stay closed and silent until their secret knock, then open for the knocking address alone." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="The Knockgate authors" \
      org.opencontainers.image.base.name="node:24-bookworm-slim" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_ENV=production \
    KNOCKGATE_REVISION=${REVISION}
# Root, because added capabilities are effective for UID 0 only: Kubernetes and Docker have no ambient ones for other users, and
# under no_new_privs file capabilities count for nothing. What root may do here are the four capabilities that the container
# is given: NET_ADMIN (nftables), NET_RAW (opening the capture), SETUID and SETGID (the capture child becomes nobody).
USER 0:0
WORKDIR /
STOPSIGNAL SIGTERM
ENTRYPOINT ["knockgate"]
CMD ["agent"]
