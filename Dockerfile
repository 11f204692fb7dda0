# The whole system in one process, its state in one volume:
#   docker build --tag orchestrator .
#   docker run --rm --volume state:/state orchestrator                 # run, overdue maintenance, status
#   docker run --rm --volume state:/state orchestrator status          # any other command
#   docker run --rm --volume state:/state --volume ./mine:/mine orchestrator run --config /mine/orchestrator.yaml
FROM python:3.12-slim

RUN useradd --uid 10001 --create-home orchestrator \
    && install --directory --owner orchestrator --mode 0700 /state

WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --requirement requirements.txt

COPY pyproject.toml integrated_system.py ./
COPY config config
COPY utils utils
COPY data_pipeline data_pipeline
COPY monitoring monitoring
COPY operations operations
COPY cli cli
COPY api api
COPY dashboard dashboard
# Compiled here once, because the program's own folder is not writable for its user.
RUN python -m compileall -q .

USER orchestrator
ENV ORCHESTRATOR_APP__STATE_DIR=/state
VOLUME /state
HEALTHCHECK --interval=1m --timeout=10s CMD ["python", "integrated_system.py", "health"]
ENTRYPOINT ["python", "integrated_system.py"]
