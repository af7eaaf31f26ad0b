"""An error tracker and a tracer that write to files which the environment names."""

import json
import os
from pathlib import Path
from typing import Any

import sentry_sdk
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport


class FileTransport(Transport):
    """Appends each event to a file, a JSON line each."""

    def capture_envelope(self, envelope: Envelope) -> None:
        event: Any = envelope.get_event()
        if event is not None:
            with Path(os.environ["EVENTS"]).open("a") as file:
                file.write(json.dumps(event, default=str) + "\n")


def start_tracker() -> None:
    if "EVENTS" in os.environ:
        sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=FileTransport)


def start_tracer(app: FastAPI) -> None:
    if "SPANS" in os.environ:
        spans = Path(os.environ["SPANS"]).open("a")  # noqa: SIM115 - for good
        exporter = ConsoleSpanExporter(
            out=spans, formatter=lambda span: span.to_json(indent=None) + "\n"
        )
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        FastAPIInstrumentor.instrument_app(app, tracer_provider=provider)
