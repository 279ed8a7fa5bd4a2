//! Spans as a collector takes them: messages of OTLP 1.x, in the wire format of Protocol Buffers.
//!
//! Written field by field where they go, with nothing in between: what a request's spans cost is what
//! every hit pays that is traced. Numbers of fields are those of `trace.proto`, `common.proto` and
//! `resource.proto` of OpenTelemetry.

/// A message that is being written: its fields, one after another.
pub(super) struct Message<'a>(&'a mut Vec<u8>);

/// How a field's value is written; the number is the format's.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
}

impl Message<'_> {
    /// A message with that number, within this one.
    pub(super) fn message(&mut self, field: u8, write: impl FnOnce(&mut Message<'_>)) {
        self.key(field, Wire::Bytes);
        let start = self.0.len();
        write(&mut Message(self.0));
        // Its length goes before it, and is known only now.
        let end = self.0.len();
        self.varint(length(end - start));
        let bytes_of_length = self.0.len() - end;
        if let Some(written) = self.0.get_mut(start..) {
            written.rotate_right(bytes_of_length);
        }
    }

    /// Text that is put together of parts.
    pub(super) fn text(&mut self, field: u8, parts: &[&str]) {
        self.key(field, Wire::Bytes);
        self.varint(length(parts.iter().map(|part| part.len()).sum()));
        for part in parts {
            self.0.extend_from_slice(part.as_bytes());
        }
    }

    pub(super) fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.key(field, Wire::Bytes);
        self.varint(length(bytes.len()));
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn number(&mut self, field: u8, number: u64) {
        self.key(field, Wire::Varint);
        self.varint(number);
    }

    pub(super) fn fixed(&mut self, field: u8, number: u64) {
        self.key(field, Wire::Fixed64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn key(&mut self, field: u8, wire: Wire) {
        self.varint(u64::from(field) << 3 | u64::from(wire as u8));
    }

    fn varint(&mut self, mut number: u64) {
        while let Ok(low) = u8::try_from(number & 0x7f)
            && number > 0x7f
        {
            self.0.push(low | 0x80);
            number >>= 7;
        }
        self.0.push(u8::try_from(number).unwrap_or_default());
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// `KeyValue`s of a message, under the number that they have there.
pub(super) struct Attributes<'a, 'b> {
    message: &'a mut Message<'b>,
    field: u8,
}

impl Attributes<'_, '_> {
    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.attribute(key, |any| any.text(1, &[value]));
    }

    pub(super) fn number(&mut self, key: &str, value: i64) {
        // Negative ones as two's complement.
        self.attribute(key, |any| any.number(3, value.cast_unsigned()));
    }

    fn attribute(&mut self, key: &str, value: impl FnOnce(&mut Message<'_>)) {
        self.message.message(self.field, |attribute| {
            attribute.text(1, &[key]);
            attribute.message(2, value);
        });
    }
}

/// `Span.kind`.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
}

/// `Span`, apart from its attributes.
pub(super) struct Span<'a> {
    pub(super) trace_id: [u8; 16],
    /// Its own.
    pub(super) id: [u8; 8],
    pub(super) parent_id: Option<[u8; 8]>,
    pub(super) trace_state: Option<&'a str>,
    /// In parts.
    pub(super) name: [&'a str; 3],
    pub(super) kind: Kind,
    /// Nanoseconds since 1970.
    pub(super) began_ns: u64,
    pub(super) ended_ns: u64,
    pub(super) is_error: bool,
}

impl Span<'_> {
    /// Writes it as one of the spans of a `ScopeSpans`.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        attributes: impl FnOnce(&mut Attributes<'_, '_>),
    ) {
        Message(out).message(2, |span| {
            span.bytes(1, &self.trace_id);
            span.bytes(2, &self.id);
            if let Some(state) = self.trace_state {
                span.text(3, &[state]);
            }
            if let Some(parent_id) = self.parent_id {
                span.bytes(4, &parent_id);
            }
            span.text(5, &self.name);
            span.number(6, u64::from(self.kind as u8));
            span.fixed(7, self.began_ns);
            span.fixed(8, self.ended_ns);
            attributes(&mut Attributes {
                message: span,
                field: 9,
            });
            if self.is_error {
                // Code 2 is an error.
                span.message(15, |status| status.number(3, 2));
            }
        });
    }
}

/// An `ExportTraceServiceRequest` of these spans, as [`Span::write`] wrote them.
pub(super) fn request(service: &str, version: &str, spans: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(spans.len() + 256);
    Message(&mut out).message(1, |of_resource| {
        of_resource.message(1, |resource| {
            let mut attributes = Attributes {
                message: resource,
                field: 1,
            };
            attributes.text("service.name", service);
            attributes.text("service.version", version);
        });
        of_resource.message(2, |of_scope| {
            of_scope.message(1, |scope| scope.text(1, &[service]));
            of_scope.0.extend_from_slice(spans);
        });
    });
    out
}
