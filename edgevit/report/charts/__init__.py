"""Results as pictures: PNG files, and SVG in the report."""
