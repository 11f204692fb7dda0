# One installation on one Docker host, the same as the first profile of deploy/compose.yaml: docs/deployment.md.

locals {
  environment = merge(
    {
      ORCHESTRATOR_CONFIG          = "/config/orchestrator.yaml"
      ORCHESTRATOR_API__HOST       = "0.0.0.0"
      ORCHESTRATOR_DASHBOARD__HOST = "0.0.0.0"
    },
    var.environment,
  )
}

# The state outlives every container and every image.
resource "docker_volume" "state" {
  name = "${var.name}-state"

  lifecycle {
    prevent_destroy = true
  }
}

resource "docker_container" "orchestrator" {
  name     = var.name
  image    = var.image
  restart  = "unless-stopped"
  init     = true
  memory   = var.memory_mb
  env      = [for name, value in local.environment : "${name}=${value}"]
  must_run = true
  wait     = true

  wait_timeout = 120

  # The API listens for other machines only once there is a token: made first, where there is none.
  entrypoint = ["/bin/sh", "-c", "/app/image/first-token.sh /state/prometheus.token && exec python /app/integrated_system.py \"$@\"", "orchestrator"]
  command    = ["serve"]

  read_only             = true
  security_opts         = ["no-new-privileges:true"]
  stop_timeout          = 30
  destroy_grace_seconds = 30

  capabilities {
    drop = ["ALL"]
  }

  tmpfs = {
    "/tmp" = "mode=1777,size=1g"
  }

  mounts {
    type   = "volume"
    source = docker_volume.state.name
    target = "/state"
  }

  mounts {
    type      = "bind"
    source    = var.config_dir
    target    = "/config"
    read_only = true
  }

  ports {
    internal = 8000
    external = var.api_port
    ip       = "127.0.0.1"
  }

  ports {
    internal = 8501
    external = var.dashboard_port
    ip       = "127.0.0.1"
  }

  healthcheck {
    test         = ["CMD", "python", "/app/image/probe.py", "8000", "/readyz"]
    interval     = "15s"
    timeout      = "10s"
    retries      = 4
    start_period = "60s"
  }
}
