"""Data over HTTP: requests, credentials, pages, mirrors."""
