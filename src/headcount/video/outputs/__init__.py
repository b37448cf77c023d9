"""Everybody who is told of what is measured: databases, files, brokers, webhooks, Prometheus, annotated video."""

from headcount.video.outputs.hub import Outputs

__all__ = ["Outputs"]
