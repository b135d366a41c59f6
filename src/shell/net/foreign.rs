//! Recognises what knocks at the wrong door, so that the log can say it.

use std::fmt;

/// A protocol that is not Kafka's in plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A TLS ClientHello.
    Tls,
    /// An HTTP request, 1.x or 2.
    Http,
    /// An SSH banner.
    Ssh,
    /// A PROXY header of a load balancer, text or binary.
    Proxy,
}

impl Protocol {
    /// The protocol of a connection that begins like this.
    pub fn of(begin: &[u8]) -> Option<Self> {
        match begin {
            [0x16, 0x03, ..] => Some(Self::Tls),
            [b'S', b'S', b'H', b'-', ..] => Some(Self::Ssh),
            [b'P', b'R', b'O', b'X', ..] | [0x0d, 0x0a, 0x0d, 0x0a, ..] => Some(Self::Proxy),
            [a, b, c, ..] if [a, b, c].into_iter().all(u8::is_ascii_uppercase) => Some(Self::Http),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "TLS",
            Self::Http => "HTTP",
            Self::Ssh => "SSH",
            Self::Proxy => "the PROXY protocol",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_strangers_are_recognised() {
        let cases: [(&[u8], Option<Protocol>); 8] = [
            (&[0x16, 3, 1, 2, 0, 1], Some(Protocol::Tls)),
            (b"GET / HTTP/1.1", Some(Protocol::Http)),
            (b"PRI * HTTP/2.0", Some(Protocol::Http)),
            (b"SSH-2.0-x", Some(Protocol::Ssh)),
            (b"PROXY TCP4", Some(Protocol::Proxy)),
            (b"\r\n\r\n\0\r\nQUIT\n", Some(Protocol::Proxy)),
            (&[0x7f, 0xff, 0xff, 0xff], None),
            (&[0xff, 0xff, 0xff, 0xff], None),
        ];
        for (begin, expected) in cases {
            assert_eq!(Protocol::of(begin), expected, "{begin:?}");
        }
    }
}
