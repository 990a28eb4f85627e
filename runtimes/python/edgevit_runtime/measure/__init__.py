"""Latency and memory of an artefact on this machine, and under which conditions they were measured."""
