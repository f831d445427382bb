//! Encryption by a password, as keys and PFX files have it: PBES2 with AES, which OpenSSL 3 and new versions of Windows
//! write, and triple DES and RC2, which OpenSSL 1 and older versions of Windows do (RFC 8018, RFC 7292).
//!
//! No other library of this process knows the old ciphers. What is decrypted was one SEQUENCE before: whatever else comes
//! out tells of a wrong password.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt as _, KeyInit, KeyIvInit as _};
use des::TdesEde3;
use rc2::Rc2;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretSlice};

use super::der::{Broken, Parts, is_sequence};

/// Rounds that nobody asks for: a hundred times the usual, and less than a minute's work.
const MOST_ROUNDS: u32 = 10_000_000;

/// Why something stays shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shut {
    /// The password is another one.
    Password,
    /// It is encrypted in a way that is not known here.
    Odd,
    /// It is not what it should be, or cut off.
    Broken,
}

impl From<Broken> for Shut {
    fn from(_: Broken) -> Self {
        Self::Broken
    }
}

/// The private key (`PrivateKeyInfo`) in an `EncryptedPrivateKeyInfo`.
pub(super) fn key(der: &[u8], password: &str) -> Result<SecretSlice<u8>, Shut> {
    let mut parts = Parts::of(der)?;
    let algorithm = parts.sequence()?;
    decrypt(algorithm, parts.octets()?, password)
}

/// What was encrypted by this `AlgorithmIdentifier`.
pub(super) fn decrypt(mut algorithm: Parts<'_>, content: &[u8], password: &str) -> Result<SecretSlice<u8>, Shut> {
    let kind = algorithm.oid()?;
    let mut parameters = algorithm.sequence()?;
    let opened = match kind.as_str() {
        "1.2.840.113549.1.5.13" => pbes2(parameters, content, password)?,
        "1.2.840.113549.1.12.1.3" => old::<TdesEde3, 24>(&mut parameters, content, password)?,
        "1.2.840.113549.1.12.1.5" => old::<Rc2, 16>(&mut parameters, content, password)?,
        "1.2.840.113549.1.12.1.6" => old::<Rc2, 5>(&mut parameters, content, password)?,
        _ => return Err(Shut::Odd),
    };
    opened.ok_or(Shut::Password)
}

/// Of RFC 8018: a key by PBKDF2, for AES or triple DES.
fn pbes2(mut parameters: Parts<'_>, content: &[u8], password: &str) -> Result<Option<SecretSlice<u8>>, Shut> {
    let (mut derivation, mut cipher) = (parameters.sequence()?, parameters.sequence()?);
    if derivation.oid()? != "1.2.840.113549.1.5.12" {
        return Err(Shut::Odd);
    }
    let mut derivation = derivation.sequence()?;
    let (salt, rounds) = (derivation.octets()?, rounds(derivation.number()?)?);
    let mut function = pbkdf2::PBKDF2_HMAC_SHA1;
    while let Some(part) = derivation.next()? {
        // The length of the key may stand in between. It is the cipher's.
        if part.header.is_constructed() {
            function = match Parts::inside(&part).oid()?.as_str() {
                "1.2.840.113549.2.7" => pbkdf2::PBKDF2_HMAC_SHA1,
                "1.2.840.113549.2.9" => pbkdf2::PBKDF2_HMAC_SHA256,
                "1.2.840.113549.2.10" => pbkdf2::PBKDF2_HMAC_SHA384,
                "1.2.840.113549.2.11" => pbkdf2::PBKDF2_HMAC_SHA512,
                _ => return Err(Shut::Odd),
            };
        }
    }
    let derived = |length: usize| {
        let mut key = vec![0; length];
        pbkdf2::derive(function, rounds, salt, password.as_bytes(), &mut key);
        SecretSlice::from(key)
    };
    let kind = cipher.oid()?;
    let start = cipher.octets()?;
    match kind.as_str() {
        "2.16.840.1.101.3.4.1.2" => aes(&AES_128, &derived(16), start, content),
        "2.16.840.1.101.3.4.1.22" => aes(&AES_192, &derived(24), start, content),
        "2.16.840.1.101.3.4.1.42" => aes(&AES_256, &derived(32), start, content),
        "1.2.840.113549.3.7" => cbc::<TdesEde3>(&derived(24), start, content),
        _ => Err(Shut::Odd),
    }
}

/// Of RFC 7292: key and first block by its own derivation.
fn old<C: BlockCipherDecrypt + KeyInit, const KEY: usize>(
    parameters: &mut Parts<'_>,
    content: &[u8],
    password: &str,
) -> Result<Option<SecretSlice<u8>>, Shut> {
    let (salt, rounds) = (parameters.octets()?, rounds(parameters.number()?)?);
    let written: Vec<u8> = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
    // No password is written as an empty one by some, and as none at all by others.
    let written: &[&[u8]] = if password.is_empty() { &[&written, &[]] } else { &[&written] };
    for password in written {
        let derived = |purpose, length| derive(purpose, length, password, salt, rounds.get());
        if let Some(opened) = cbc::<C>(&derived(1, KEY), derived(2, 8).expose_secret(), content)? {
            return Ok(Some(opened));
        }
    }
    Ok(None)
}

/// RFC 7292, appendix B.2, with SHA-1.
fn derive(purpose: u8, length: usize, password: &[u8], salt: &[u8], rounds: u32) -> SecretSlice<u8> {
    const BLOCK: usize = 64;
    let hash = |text: &[u8]| digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, text).as_ref().to_vec();
    let filled =
        |text: &[u8]| -> Vec<u8> { text.iter().copied().cycle().take(text.len().div_ceil(BLOCK) * BLOCK).collect() };
    let mut mixed = [filled(salt), filled(password)].concat();
    let mut derived = Vec::new();
    while derived.len() < length {
        let mut piece = hash(&[&[purpose; BLOCK], mixed.as_slice()].concat());
        for _ in 1..rounds {
            piece = hash(&piece);
        }
        // To each block is added the piece, filled up, and one.
        let added: Vec<u8> = piece.iter().copied().cycle().take(BLOCK).collect();
        for block in mixed.chunks_mut(BLOCK) {
            let mut carry = true;
            for (byte, added) in block.iter_mut().zip(&added).rev() {
                let (sum, over) = byte.overflowing_add(*added);
                let (sum, over_by_one) = sum.overflowing_add(u8::from(carry));
                (*byte, carry) = (sum, over || over_by_one);
            }
        }
        derived.extend(piece);
    }
    derived.truncate(length);
    SecretSlice::from(derived)
}

fn rounds(told: u32) -> Result<NonZeroU32, Shut> {
    NonZeroU32::new(told).filter(|rounds| rounds.get() <= MOST_ROUNDS).ok_or(Shut::Odd)
}

fn aes(
    algorithm: &'static Algorithm,
    key: &SecretSlice<u8>,
    start: &[u8],
    content: &[u8],
) -> Result<Option<SecretSlice<u8>>, Shut> {
    let key = UnboundCipherKey::new(algorithm, key.expose_secret()).map_err(|_| Shut::Broken)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(|_| Shut::Broken)?;
    let start = FixedLength::try_from(start).map_err(|_| Shut::Broken)?;
    let mut content = Zeroizing::new(content.to_vec());
    let opened = key.decrypt(&mut content, DecryptionContext::Iv128(start));
    Ok(opened.ok().map(|opened| opened.to_vec()).and_then(sequence))
}

fn cbc<C: BlockCipherDecrypt + KeyInit>(
    key: &SecretSlice<u8>,
    start: &[u8],
    content: &[u8],
) -> Result<Option<SecretSlice<u8>>, Shut> {
    let cipher = Decryptor::<C>::new_from_slices(key.expose_secret(), start).map_err(|_| Shut::Broken)?;
    Ok(cipher.decrypt_padded_vec::<Pkcs7>(content).ok().and_then(sequence))
}

fn sequence(opened: Vec<u8>) -> Option<SecretSlice<u8>> {
    is_sequence(&opened).then(|| SecretSlice::from(opened))
}
