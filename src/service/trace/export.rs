//! Spans to a collector: OTLP over HTTP.

use async_nats::HeaderMap;
use opentelemetry::{
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider, Tracer},
};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;

use crate::service::config::Trace;

/// Sends what is left when it is closed.
#[derive(Debug)]
pub struct Exporter(SdkTracerProvider);

impl Exporter {
    /// Begins to export; spans go out in batches from a thread of their own.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn start(config: &Trace) -> anyhow::Result<Self> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&config.endpoint)
            .build()
            .map_err(|error| anyhow::anyhow!("cannot send spans to {} (`trace.endpoint`): {error}", config.endpoint))?;
        let ratio = Sampler::TraceIdRatioBased(config.sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(ratio)))
            .with_resource(Resource::builder().with_service_name(config.service_name.clone()).build())
            .build();
        Ok(Self(provider))
    }

    /// What hands the spans of this process to the exporter.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> OpenTelemetryLayer<S, Tracer> {
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("copydesk"))
    }

    /// Sends what is left.
    pub fn close(self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(error = %error, "the last spans could not be sent");
        }
    }
}

struct Own<'a>(&'a HeaderMap);

impl Extractor for Own<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(async_nats::HeaderValue::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        // The propagator asks for what it knows by name.
        Vec::new()
    }
}

struct Given<'a>(&'a mut HeaderMap);

impl Injector for Given<'_> {
    fn set(&mut self, key: &str, value: String) {
        // An empty `tracestate` says nothing.
        if !value.is_empty() && value.len() <= super::STATE_BYTES_MAX {
            self.0.insert(key, value);
        }
    }
}

/// Makes a span the child of what the message's headers name.
pub(super) fn adopt(span: &Span, headers: Option<&HeaderMap>) {
    if let Some(headers) = headers {
        let parent = TraceContextPropagator::new().extract(&Own(headers));
        // A span that nobody exports takes no parent.
        let _ = span.set_parent(parent);
    }
}

/// Names the span of the story in the headers of what comes of it, where it is exported.
pub(super) fn inject(span: &Span, headers: &mut HeaderMap) {
    let context = span.context();
    if context.span().span_context().is_valid() {
        TraceContextPropagator::new().inject_context(&context, &mut Given(headers));
    }
}
