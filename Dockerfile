# syntax=docker/dockerfile:1

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No package runs a script of its own while it is installed.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY workers ./workers
COPY examples/workers ./examples/workers
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24-slim
# The first process of a container has to clear away processes that ended, which Node does not.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production GONE_HOST=0.0.0.0
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# On all addresses it does not start without an API key: gone key create, or GONE_KEYS=optional; see docs/security.md.
# Nothing is written at run time: run it with a read-only file system.
USER node
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s \
  CMD ["node", "dist/src/cli/main.js", "ready"]
# -s: also where there is an init before it.
ENTRYPOINT ["tini", "-s", "--", "node", "dist/src/cli/main.js"]
CMD ["serve"]
