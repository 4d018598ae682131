# The image is no more than Python, its standard library, what both load, and the tool: docs/decisions/021.
# Any Debian with Python 3.11 or newer can be the base; nothing of it is run but Python.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements/runtime.txt ./
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --quiet --require-hashes --no-deps --only-binary=:all: --no-compile -r runtime.txt
COPY dist/*.whl ./
# Only the client's asynchronous twin needs these, and rootfs.py leaves that out.
RUN /opt/venv/bin/pip install --quiet --no-index --no-deps --no-compile ./*.whl \
 && /opt/venv/bin/pip uninstall --quiet --yes \
    aiohttp aiohttp-retry aiohappyeyeballs aiosignal attrs frozenlist multidict propcache yarl pip
COPY k8s/image/rootfs.py ./
RUN python3 rootfs.py /opt/venv /rootfs

FROM scratch
COPY --from=build /rootfs /
ENV PATH=/opt/venv/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ARG VERSION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="gitjob-cleaner" \
      org.opencontainers.image.description="Deletes the finished Jobs of Rancher Fleet GitRepos that nothing needs any more" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="${SOURCE}"
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["gitjob-cleaner"]
CMD ["--help"]
