"""The configuration that `config init` writes: short, commented, and it runs as it is."""

_TEXT = """\
# Cloud Data Orchestrator: what you declare here is collected, validated, scored, stored and watched.
# Every key, type and default stands in docs/configuration.md. `config check` tells all that is wrong at once.
# `add ADDRESS --write` looks at a source of yours and appends its block here; `try NAME` shows what a run would say.

app:
  name: my-data
  state_dir: state          # where everything is kept; starts at the folder you run in

# Values may come from the environment: ${NAME}, ${NAME:-default}, ${file:/run/secrets/x}. They are never shown.
# providers:
#   partner:
#     base_url: https://api.example.org
#     auth: {kind: bearer, token: "${PARTNER_TOKEN}"}

datasets:
  # This machine: works everywhere, so the first `run` delivers something.
  - name: this_host
    collect: {kind: host}
    data_time: time
    promise: {max_age: 26h}   # the oldest data that your readers can live with
    rules:
      - not_null: [time]
      - range: {column: memory_percent, min: 0, max: 100}

  # Made up, without any network: later runs fail now and then, so you can see what happens.
  - name: practice
    collect: {kind: simulated, rows: 100, failure_rate: 0.2}
    rules:
      - not_null: [id, value]

  # A file beside this one.
  # - name: prices
  #   collect: {kind: file, path: data/prices.csv}
  #   parse: {format: csv}
  #   rules:
  #     - not_null: [product]
  #     - range: {column: price, min: 0}

  # A public HTTP API, no key needed.
  # - name: earthquakes
  #   collect: {kind: http, url: "https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/all_day.geojson"}
  #   parse: {format: json, records: features}
  #   rules:
  #     - unique: id
  #     - row_count: {min: 1}
"""


def init_text() -> str:
    """YAML text to start from."""
    return _TEXT
