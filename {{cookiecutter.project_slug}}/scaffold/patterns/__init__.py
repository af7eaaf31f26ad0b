"""Regular expressions that Python and Rust read alike."""
