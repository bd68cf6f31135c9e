# syntax=docker/dockerfile:1
# A node of Parallax: `docker build -t parallax-observer .`
#
# glibc, because LMDB and the ClickHouse engine come prebuilt for that only. The engine (540 MB) is left out: nodes of a
# cluster store into a server. With `--build-arg EMBEDDED_CLICKHOUSE=yes` it stays in, for an install of one node.
FROM node:22.21.1-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts || npm install --no-save --ignore-scripts
COPY tsconfig.json ./
COPY src ./src
RUN npx --no-install tsc -p tsconfig.json
RUN npm prune --omit=dev --ignore-scripts
ARG EMBEDDED_CLICKHOUSE=no
RUN if [ "$EMBEDDED_CLICKHOUSE" != yes ]; then rm -rf node_modules/chdb node_modules/@chdb; fi

FROM node:22.21.1-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
RUN groupadd --gid 10001 parallax \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/parallax --shell /usr/sbin/nologin parallax \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/parallax
COPY LICENSE package.json ./
COPY bin ./bin
COPY detectors ./detectors
COPY baselines ./baselines
COPY mappings ./mappings
COPY dashboards ./dashboards
COPY src/store/migrations ./src/store/migrations
COPY src/console/assets ./src/console/assets
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist/src ./dist/src
USER 10001:10001
VOLUME /var/lib/parallax
EXPOSE 7700
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["node", "-e", "fetch('http://127.0.0.1:7700/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/bin/parallax.js"]
CMD ["serve", "--config", "/config/parallax.yaml"]
