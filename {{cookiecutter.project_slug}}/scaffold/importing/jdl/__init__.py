"""Reads the domain language of JHipster (JDL)."""
