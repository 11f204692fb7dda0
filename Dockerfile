# The whole system, its state in one volume:
#   docker build --tag orchestrator .                                  # or `make build`
#   docker run --rm --volume state:/state orchestrator                 # run, overdue maintenance, status
#   docker run --rm --volume state:/state orchestrator status          # any other command
#   docker run --rm --volume state:/state --volume ./mine:/mine orchestrator run --config /mine/orchestrator.yaml
# Several containers together: deploy/compose.yaml. docs/deployment.md explains both.

# Pinned by version; Dependabot raises it. To pin the bytes as well, append the digest that `docker build` prints.
FROM python:3.13.14-slim-trixie AS builder

WORKDIR /app
COPY requirements.txt ./
# Wheels only: nothing is compiled, so there is no compiler. What libraries ship for their own tests stays behind.
RUN python -m venv --without-pip /venv \
    && python -m pip --python /venv/bin/python install --no-cache-dir --only-binary :all: --requirement requirements.txt \
    && find /venv -type d -name tests -prune -exec rm -rf {} + \
    && rm -rf /venv/lib/python3.13/site-packages/pyarrow/include

COPY pyproject.toml integrated_system.py ./
COPY config config
COPY utils utils
COPY data_pipeline data_pipeline
COPY monitoring monitoring
COPY operations operations
COPY cli cli
COPY api api
COPY dashboard dashboard
COPY deploy/image /app/image
# Compiled here once, because the program's own folder is not writable for its user.
RUN /venv/bin/python -m compileall -q .


FROM python:3.13.14-slim-trixie

# Nothing is installed in a container that runs, so what could do it goes.
RUN python -m pip uninstall --yes --quiet --root-user-action ignore pip \
    && useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin orchestrator \
    && install --directory --owner 10001 --group 10001 --mode 0700 /state \
    && install --directory --owner 10001 --group 10001 --mode 0755 /tokens

COPY --from=builder /venv /venv
COPY --from=builder /app /app

WORKDIR /app
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ORCHESTRATOR_APP__STATE_DIR=/state
# The number, not the name: Kubernetes proves by it that this is not root.
USER 10001:10001
VOLUME /state
EXPOSE 8000 8501
HEALTHCHECK --interval=1m --timeout=20s --start-period=30s CMD ["python", "integrated_system.py", "health"]
ENTRYPOINT ["python", "integrated_system.py"]
