"""The REST API and the web pages: reads the views of schema `read`, writes nothing."""
