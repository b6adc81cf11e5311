use crate::Error;

/// Reads the big-endian structures of a TPM.
pub(crate) struct Reader<'b> {
    rest: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes, at: 0 }
    }

    pub(crate) fn fail(&self, rule: &'static str) -> Error {
        Error::Malformed { at: self.at, rule }
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'b [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(self.fail("it ends too early"))?;
        self.rest = rest;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let fail = self.fail("it ends too early");
        self.take(N)?.try_into().map_err(|_| fail)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// TPM2B: a length of two bytes, and as many bytes.
    pub(crate) fn sized(&mut self) -> Result<&'b [u8], Error> {
        let len = self.u16()?;
        self.take(len.into())
    }

    /// The same, which must not be longer than this.
    pub(crate) fn sized_up_to(&mut self, limit: usize) -> Result<&'b [u8], Error> {
        let fail = self.fail("a part is longer than it may be");
        self.sized().and_then(|bytes| if bytes.len() <= limit { Ok(bytes) } else { Err(fail) })
    }

    /// A number that must be this one.
    pub(crate) fn expect(&mut self, expected: u16, rule: &'static str) -> Result<(), Error> {
        let fail = self.fail(rule);
        if self.u16()? == expected { Ok(()) } else { Err(fail) }
    }

    /// Another reader of the next bytes, which counts as this one does.
    pub(crate) fn part(&mut self, count: usize) -> Result<Self, Error> {
        let at = self.at;
        Ok(Self { rest: self.take(count)?, at })
    }

    pub(crate) fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.fail("bytes follow the end")) }
    }
}
