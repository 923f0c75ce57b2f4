"""Requests and answers of the API as pydantic models: what OpenAPI says, and what checks the parameters."""
