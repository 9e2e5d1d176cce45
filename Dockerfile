# The monitor: `docker build -t metric-monitor .`, or by deploy/compose.yaml.
# Every package is locked with its hash (requirements/*.txt, written by `make lock`).
ARG PYTHON=3.13.9-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /opt/monitor
RUN /opt/monitor/bin/pip install --require-hashes -r requirements/runtime.txt
RUN python -m pip install --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY monitor monitor
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /src/dist .
RUN /opt/monitor/bin/pip install --no-deps --no-index --find-links /src/dist metric-monitor

FROM python:${PYTHON}
RUN groupadd --system --gid 10001 monitor \
 && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/monitor --no-create-home monitor \
 && install -d -o 10001 -g 10001 /var/lib/monitor
COPY --from=build /opt/monitor /opt/monitor
ENV PATH=/opt/monitor/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/monitor
VOLUME /var/lib/monitor
EXPOSE 8321
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8321/healthz', timeout=4)"]
ENTRYPOINT ["monitor"]
CMD ["run", "--config", "/etc/monitor/config", "--state", "/var/lib/monitor"]
