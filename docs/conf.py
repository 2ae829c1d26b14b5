"""Sphinx's configuration. ``sphinx-build -W docs build/docs`` builds the documentation."""

from importlib.metadata import version as version_of

project = "ocpp_twisted"
author = "The ocpp_twisted authors"
copyright = f"2026, {author}"  # noqa: A001
version = release = version_of("ocpp-twisted")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "listings"]
html_theme = "furo"
html_title = f"ocpp_twisted {release}"

default_role = "code"
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True
autodoc_typehints = "none"  # zope interfaces as annotations are shown badly
