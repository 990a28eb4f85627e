"""A picture in, JSON out, over HTTP."""
