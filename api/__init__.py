"""The face for programs: REST, live alerts, metrics. It calls operations and queries, and has no logic of its own."""
