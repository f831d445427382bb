//! An application's assertion, judged as Entra judges it: the signature above all.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RsaKeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::world::{Refusal, World};

/// What an assertion is judged by, beside the world.
pub struct Judge {
    /// The token endpoint that was asked.
    pub endpoint: String,
    /// The application that claims it.
    pub client_id: String,
    /// Whether it was shown before.
    pub is_used: bool,
    /// So much the world's time may have moved on since it was dated, in seconds: it runs fast here.
    pub leeway: i64,
}

impl Judge {
    /// No, in Entra's words, unless everything about it is in order.
    pub fn check(&self, world: &World, assertion: &str) -> Result<(), Refusal> {
        let malformed = || no("AADSTS50027", "JWT token is invalid or malformed.");
        let mut parts = assertion.rsplitn(2, '.');
        let (signature, message) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (header, claims) = message.split_once('.').ok_or_else(malformed)?;
        let [header, claims] = [header, claims].map(json);
        let (header, claims) = (header.ok_or_else(malformed)?, claims.ok_or_else(malformed)?);
        if let (Some("RS256"), Some(key_id)) = (header["alg"].as_str(), header["kid"].as_str())
            && header["x5t"].is_null()
        {
            is_signed_by_cluster(world, key_id, message, signature)?;
            return world.check_federated(&claims);
        }
        // The key is named by its certificate's SHA-256; by older clients, with an older signature, by its SHA-1.
        let (algorithm, named_by, by_sha1): (&dyn VerificationAlgorithm, _, _) = match header["alg"].as_str() {
            Some("PS256") if header["typ"] == "JWT" => (&RSA_PSS_2048_8192_SHA256, "x5t#S256", false),
            Some("RS256") if header["typ"] == "JWT" => (&RSA_PKCS1_2048_8192_SHA256, "x5t", true),
            _ => return Err(no("AADSTS5002730", "Invalid JWT token. Unsupported key for the signing algorithm.")),
        };
        let thumbprint = header[named_by].as_str().ok_or_else(malformed)?.trim_end_matches('=');
        let is_meant = |der: &&Vec<u8>| {
            let digest = if by_sha1 { sha1(der) } else { Sha256::digest(der).to_vec() };
            URL_SAFE_NO_PAD.encode(digest) == thumbprint
        };
        let unknown = || {
            let message = format!(
                "Client assertion failed signature validation. Reason - The key was not found. Thumbprint of key used by \
                 client: '{thumbprint}'."
            );
            no("AADSTS700027", &message)
        };
        let der = world.settings.azure_certificates.iter().find(is_meant).ok_or_else(unknown)?;
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| unknown())?;
        let key = certificate.public_key().subject_public_key.data.to_vec();
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
        UnparsedPublicKey::new(algorithm, key)
            .verify(message.as_bytes(), &signature)
            .map_err(|_| no("AADSTS700027", "Client assertion failed signature validation."))?;
        self.check_claims(world.now().timestamp(), &claims)?;
        match certificate.validity().not_after.timestamp() > world.now().timestamp() {
            true => Ok(()),
            false => Err(no("AADSTS1000502", "The provided certificate is not within its specified validity period.")),
        }
    }

    fn check_claims(&self, now: i64, claims: &Value) -> Result<(), Refusal> {
        if claims["aud"] != self.endpoint.as_str() {
            return Err(no("AADSTS700023", "Client assertion audience claim does not match Realm issuer."));
        }
        if claims["iss"] != self.client_id.as_str() || claims["sub"] != self.client_id.as_str() {
            return Err(no(
                "AADSTS700021",
                "Client assertion application identifier doesn't match 'client_id' parameter.",
            ));
        }
        if self.is_used || claims["jti"].as_str().is_none_or(|jti| uuid::Uuid::try_parse(jti).is_err()) {
            return Err(no("AADSTS700025", "The assertion has been used before, or bears no id."));
        }
        // Where nothing says from when on it is good, it is from when it was made. There are clients that write fractions.
        #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
        let time = |name: &str| claims[name].as_f64().map(|seconds| seconds as i64);
        let (nbf, exp) = (time("nbf").or(time("iat")).unwrap_or_default(), time("exp").unwrap_or_default());
        if !(nbf <= now && now < exp + self.leeway && exp > nbf && exp - nbf <= 600) {
            return Err(no("AADSTS700024", "Client assertion is not within its valid time range."));
        }
        Ok(())
    }
}

/// The keys of the cluster's issuer are looked up by their ids: an issuer that nobody trusts is told as that.
fn is_signed_by_cluster(world: &World, key_id: &str, message: &str, signature: &str) -> Result<(), Refusal> {
    let Some(pod) = &world.settings.federated else { return Ok(()) };
    let failed = |reason: &str| {
        let message = format!("Assertion failed signature validation. [Reason - {reason}]");
        no("AADSTS50013", &message)
    };
    if key_id != Cluster::key_id(&pod.key) {
        return Err(failed("The key was not found."));
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| failed("The signature is no base64."))?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &pod.key);
    key.verify(message.as_bytes(), &signature).map_err(|_| failed("The provided signature value did not match."))
}

/// A Kubernetes cluster that vouches for its pods.
pub struct Cluster(RsaKeyPair);

impl Cluster {
    /// With a key of its own.
    pub fn new() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"))
    }

    /// What Entra finds at its issuer's address.
    pub fn public_key(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    fn key_id(public_key: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(public_key))
    }

    /// A token with these claims.
    pub fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "kid": Self::key_id(&self.public_key()) });
        let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn sha1(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn no(code: &str, message: &str) -> Refusal {
    Refusal { status: 401, code: "invalid_client", message: format!("{code}: {message}"), retry_after: None }
}
