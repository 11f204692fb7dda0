"""What bodies look like, for the OpenAPI document. Operations make the bodies: a test holds one against the other."""
