//! `[admin]`: where the status page, health and metrics are served.

use std::net::SocketAddr;

use super::raw::Section;
use super::scalar;

/// Loopback: nobody on the network reads how things stand unless that is wanted.
const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8642);

/// The address, or none where it is `"none"`.
pub(super) fn read(section: &Section<'_>) -> Option<SocketAddr> {
    section.get("listen", |value| listen(scalar::text(value)?)).unwrap_or(Some(DEFAULT))
}

fn listen(text: &str) -> Result<Option<SocketAddr>, String> {
    match text {
        "none" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            "is no address with a port: write for example \"127.0.0.1:8642\", \"[::1]:8642\", \"0.0.0.0:8642\" for all \
             networks, or \"none\""
                .to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_none_is_none() {
        assert_eq!(listen("none"), Ok(None));
        assert_eq!(listen("[::1]:1"), Ok(Some("[::1]:1".parse().unwrap())));
        for wrong in ["", "8642", "localhost:8642", "127.0.0.1", "127.0.0.1:99999"] {
            assert!(listen(wrong).unwrap_err().contains("127.0.0.1:8642"), "{wrong}");
        }
    }
}
