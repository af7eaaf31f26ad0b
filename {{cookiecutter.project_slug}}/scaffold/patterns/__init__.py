"""Regular expressions that mean the same to Python and to Rust."""
