"""The interpreters that run an artefact, and what is kept between their runs."""
