//! Everything that looks random: drawn from the seed and a counter, the same at every run.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A well mixed number for `n` under `seed` (splitmix64).
pub fn mix(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(n.wrapping_mul(0xD1B5_4A32_D192_ED03));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// 32 hexadecimal digits.
pub fn hex32(seed: u64, n: u64) -> String {
    format!("{:016x}{:016x}", mix(seed, 2 * n), mix(seed, 2 * n + 1))
}

/// A JWT with these claims. It is not signed; its third part is a checksum, enough to notice a foreign one.
pub fn jwt(claims: &Value) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let body = URL_SAFE_NO_PAD.encode(claims.to_string());
    let sum = checksum(&body);
    format!("{head}.{body}.{sum}")
}

/// The claims of a JWT that this world has made.
pub fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, body, sum) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || sum != checksum(body) {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

fn checksum(body: &str) -> String {
    let sum = body.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| mix(sum, u64::from(byte)));
    URL_SAFE_NO_PAD.encode(sum.to_be_bytes())
}
