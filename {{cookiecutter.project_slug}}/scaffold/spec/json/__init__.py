"""JSON text with positions, so that an error can name its line and column."""
