variable "image" {
  description = "The image, as `make build` or your registry names it."
  type        = string
  default     = "orchestrator:latest"
}

variable "name" {
  description = "Of the container, and the beginning of its volume's name."
  type        = string
  default     = "orchestrator"
}

variable "config_dir" {
  description = "The folder on the Docker host that holds orchestrator.yaml."
  type        = string

  validation {
    condition     = startswith(var.config_dir, "/")
    error_message = "config_dir is an absolute path on the Docker host."
  }
}

variable "api_port" {
  description = "Where the API is published, on the host's loopback."
  type        = number
  default     = 8000
}

variable "dashboard_port" {
  description = "Where the page is published, on the host's loopback."
  type        = number
  default     = 8501
}

variable "memory_mb" {
  description = "The most memory that the container may take."
  type        = number
  default     = 2048
}

variable "environment" {
  description = "More variables: what the configuration asks for as $${NAME}, and ORCHESTRATOR_SECTION__KEY."
  type        = map(string)
  default     = {}
  sensitive   = true
}
