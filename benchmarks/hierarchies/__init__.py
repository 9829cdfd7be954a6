"""Hierarchies of many groups, fitted by packages that are made for them, and by all others."""
