"""Connectors: one package per vendor, each speaking that vendor's names and nothing of field service."""
