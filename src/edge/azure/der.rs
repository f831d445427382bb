//! What is read of DER by hand: the few forms that encrypted keys and PFX files are made of.

use x509_parser::asn1_rs::{Any, Class, FromDer as _, Tag};

/// It is not what it should be, or cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// The parts of a SEQUENCE, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    /// The parts of the SEQUENCE that `der` begins with.
    pub fn of(der: &'a [u8]) -> Result<Self, Broken> {
        Self(der).sequence()
    }

    /// The parts of this part.
    pub fn inside(part: &Any<'a>) -> Self {
        Self(part.data)
    }

    /// The next part, if there is one.
    pub fn next(&mut self) -> Result<Option<Any<'a>>, Broken> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (rest, part) = Any::from_der(self.0).map_err(|_| Broken)?;
        self.0 = rest;
        Ok(Some(part))
    }

    /// The next part, which is of this kind.
    fn take(&mut self, class: Class, tag: Tag) -> Result<&'a [u8], Broken> {
        let part = self.next()?.filter(|part| (part.class(), part.tag()) == (class, tag));
        part.map(|part| part.data).ok_or(Broken)
    }

    /// The next part, a SEQUENCE, as its own parts.
    pub fn sequence(&mut self) -> Result<Self, Broken> {
        self.take(Class::Universal, Tag::Sequence).map(Self)
    }

    /// The next part, an OCTET STRING.
    pub fn octets(&mut self) -> Result<&'a [u8], Broken> {
        self.take(Class::Universal, Tag::OctetString)
    }

    /// The next part, tagged with `[0]`.
    pub fn tagged(&mut self) -> Result<&'a [u8], Broken> {
        self.take(Class::ContextSpecific, Tag(0))
    }

    /// The next part, tagged with `[0]` around others.
    pub fn explicit(&mut self) -> Result<Self, Broken> {
        self.tagged().map(Self)
    }

    /// The next part, an OBJECT IDENTIFIER, in numbers with dots.
    pub fn oid(&mut self) -> Result<String, Broken> {
        let part = self.next()?.ok_or(Broken)?;
        part.oid().map(|oid| oid.to_id_string()).map_err(|_| Broken)
    }

    /// The next part, a small INTEGER.
    pub fn number(&mut self) -> Result<u32, Broken> {
        self.next()?.ok_or(Broken)?.u32().map_err(|_| Broken)
    }
}

/// Whether this is one SEQUENCE, and nothing more.
pub(super) fn is_sequence(der: &[u8]) -> bool {
    let mut whole = Parts(der);
    whole.sequence().is_ok() && whole.0.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_turn_and_what_is_of_another_kind_or_cut_off_is_broken() {
        let der = [0x30, 9, 2, 1, 7, 4, 1, 0xaa, 6, 1, 42];
        let mut parts = Parts::of(&der).unwrap();
        assert_eq!((parts.number(), parts.octets(), parts.oid().as_deref()), (Ok(7), Ok(&[0xaa][..]), Ok("1.2")));
        assert!(parts.next().unwrap().is_none() && parts.octets() == Err(Broken));
        assert_eq!(Parts::of(&der).unwrap().octets(), Err(Broken));
        assert!(Parts::of(&der[..10]).is_err() && Parts::of(&der[2..]).is_err());
        assert!(is_sequence(&der) && !is_sequence(&[der.as_slice(), &[0]].concat()));
    }
}
