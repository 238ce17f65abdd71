"""API v1: what the pages show, for programs, as JSON with an OpenAPI document."""

from gateway.web.api.openapi import API_ROUTES, COMMAND_ROUTES

__all__ = ["API_ROUTES", "COMMAND_ROUTES"]
