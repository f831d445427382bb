//! A PFX file (PKCS#12, RFC 7292): certificates and keys in bags, in the clear or encrypted by a password.
//!
//! Its MAC is not looked at. It is made of the same password, so it would tell nothing that decryption does not; and a key
//! counts only if it is that of a certificate.

use secrecy::{ExposeSecret as _, SecretSlice};

use super::der::Parts;
use super::encryption::{self, Shut};

/// What was in a file.
#[derive(Default)]
pub(super) struct Opened {
    /// DER.
    pub certificates: Vec<Vec<u8>>,
    /// `PrivateKeyInfo` (or what its forerunners were), DER.
    pub keys: Vec<SecretSlice<u8>>,
}

const DATA: &str = "1.2.840.113549.1.7.1";
const ENCRYPTED_DATA: &str = "1.2.840.113549.1.7.6";
const KEY: &str = "1.2.840.113549.1.12.10.1.1";
const SHROUDED_KEY: &str = "1.2.840.113549.1.12.10.1.2";
const CERTIFICATE: &str = "1.2.840.113549.1.12.10.1.3";
const X509: &str = "1.2.840.113549.1.9.22.1";

/// Opens all that is in it. No password and an empty one are the same.
pub(super) fn open(der: &[u8], password: &str) -> Result<Opened, Shut> {
    let mut opened = Opened::default();
    let mut pfx = Parts::of(der)?;
    if pfx.number()? != 3 {
        return Err(Shut::Broken);
    }
    let mut content = pfx.sequence()?;
    if content.oid()? != DATA {
        // Signed, and not by a password.
        return Err(Shut::Odd);
    }
    let mut safes = Parts::of(content.explicit()?.octets()?)?;
    while let Some(safe) = safes.next()? {
        let mut safe = Parts::inside(&safe);
        match safe.oid()?.as_str() {
            DATA => bags(safe.explicit()?.octets()?, password, &mut opened)?,
            ENCRYPTED_DATA => {
                let mut data = safe.explicit()?.sequence()?;
                let (_version, mut content) = (data.number()?, data.sequence()?);
                let (_kind, algorithm) = (content.oid()?, content.sequence()?);
                let plain = encryption::decrypt(algorithm, content.tagged()?, password)?;
                bags(plain.expose_secret(), password, &mut opened)?;
            }
            _ => return Err(Shut::Odd),
        }
    }
    Ok(opened)
}

fn bags(der: &[u8], password: &str, opened: &mut Opened) -> Result<(), Shut> {
    let mut bags = Parts::of(der)?;
    while let Some(bag) = bags.next()? {
        let mut bag = Parts::inside(&bag);
        let (kind, content) = (bag.oid()?, bag.tagged()?);
        match kind.as_str() {
            KEY => opened.keys.push(SecretSlice::from(content.to_vec())),
            SHROUDED_KEY => opened.keys.push(encryption::key(content, password)?),
            CERTIFICATE => {
                let mut certificate = Parts::of(content)?;
                if certificate.oid()? == X509 {
                    opened.certificates.push(certificate.explicit()?.octets()?.to_vec());
                }
            }
            // Lists of revoked ones, and other secrets.
            _ => {}
        }
    }
    Ok(())
}
