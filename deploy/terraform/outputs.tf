output "api" {
  description = "The API, on the Docker host."
  value       = "http://127.0.0.1:${var.api_port}"
}

output "dashboard" {
  description = "The page, on the Docker host."
  value       = "http://127.0.0.1:${var.dashboard_port}"
}

output "state" {
  description = "The volume to back up."
  value       = docker_volume.state.name
}
