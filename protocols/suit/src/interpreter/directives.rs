use super::{FailureKind, Platform, PlatformError, Processor, Progress, processor::Stop};
use crate::{ComponentId, Directive, Feature, Parameter, labels::parameter, limits::MAX_CIPHERTEXT_OVERHEAD};

impl<'m, 'b, P: Platform> Processor<'m, 'b, P> {
    /// Runs a directive for the current component (MAN, section 8.4.10; UM; TD). Any failure stops the procedure.
    pub(super) fn directive(&mut self, directive: Directive) -> Result<(), Stop> {
        let index = self.place.index;
        match directive {
            Directive::ProcessDependency => {
                self.require_dependency(index)?;
                return Err(FailureKind::Unsupported(Feature::Dependencies).into());
            }
            Directive::Unlink => return Err(FailureKind::Unsupported(Feature::Dependencies).into()),
            Directive::Wait => {
                return match self.table.find(index, parameter::WAIT_INFO) {
                    Some(Parameter::WaitInfo(info)) => Ok(self.platform.wait(info)?),
                    _ => Err(FailureKind::ParameterMissing(parameter::WAIT_INFO).into()),
                };
            }
            _ => {}
        }
        let component = self.component(index)?;
        self.checkpoint(component, directive == Directive::Invoke)?;
        match directive {
            Directive::Write => self.write(index, component),
            Directive::Fetch => self.fetch(index, component),
            Directive::Copy => self.copy(index, component),
            Directive::Swap => {
                let other = self.source_component(index)?;
                Ok(self.platform.swap(component, other)?)
            }
            _ => Ok(self.platform.invoke(component, self.table.invoke_args(index))?),
        }
    }

    fn checkpoint(&mut self, component: &ComponentId, invoke_pending: bool) -> Result<(), Stop> {
        let progress = Progress {
            manifest_digest: self.verified.manifest_digest(),
            procedure: self.place.procedure,
            section: self.place.section,
            offset: self.place.offset,
            index: self.place.index,
            component,
            invoke_pending,
        };
        Ok(self.platform.checkpoint(&progress)?)
    }

    fn write(&mut self, index: u32, component: &ComponentId) -> Result<(), Stop> {
        let missing = FailureKind::ParameterMissing(parameter::CONTENT);
        let content = self.table.content(index).ok_or(missing)?;
        // The manifest vouches for the content itself; image size and digest may be those of something else.
        let limit = self.platform.capacity(component);
        let size = content.len() as u64;
        if size > limit {
            return Err(FailureKind::TooLarge { limit }.into());
        }
        self.store_bytes(index, component, content, size)
    }

    fn fetch(&mut self, index: u32, component: &ComponentId) -> Result<(), Stop> {
        let missing = FailureKind::ParameterMissing(parameter::URI);
        let uri = self.table.uri(index).ok_or(missing)?;
        if self.already_holds(index, component)? {
            return Ok(());
        }
        if let Some(payload) = self.verified.envelope().integrated(uri) {
            let size = payload.len() as u64;
            self.bounds(index, component, Some(size))?;
            return self.store_bytes(index, component, payload, size);
        }
        // A reference into the envelope means nothing anywhere else.
        if uri.starts_with('#') {
            return Err(FailureKind::PayloadMissing.into());
        }
        let bounds = self.bounds(index, component, None)?;
        let arguments = self.table.fetch_arguments(index);
        let mut source = self.platform.open(uri, arguments)?;
        self.store(index, component, bounds, |this, _, room| {
            let room = room.min(this.buffer.len());
            let buffer = this.buffer.get_mut(..room).unwrap_or_default();
            this.platform.receive(&mut source, buffer)
        })
    }

    fn copy(&mut self, index: u32, component: &ComponentId) -> Result<(), Stop> {
        let source = self.source_component(index)?;
        let size = self.platform.size(source)?.ok_or(PlatformError::NotFound)?;
        let bounds = self.bounds(index, component, Some(size))?;
        self.store(index, component, bounds, |this, offset, room| {
            let left = size.saturating_sub(offset);
            let room = room.min(this.buffer.len()).min(usize::try_from(left).unwrap_or(usize::MAX));
            if room == 0 {
                return Ok(0);
            }
            let buffer = this.buffer.get_mut(..room).unwrap_or_default();
            this.platform.read(source, offset, buffer)
        })
    }

    fn source_component(&self, index: u32) -> Result<&'m ComponentId, Stop> {
        let missing = FailureKind::ParameterMissing(parameter::SOURCE_COMPONENT);
        let source = self.table.source_component(index).ok_or(missing)?;
        self.component(source)
    }

    /// Replaces the content of a component by bytes at hand.
    fn store_bytes(
        &mut self,
        index: u32,
        component: &ComponentId,
        content: &[u8],
        size: u64,
    ) -> Result<(), Stop> {
        let result = self.begin(index, component, Some(size)).and_then(|()| {
            self.platform.append(component, content)?;
            self.platform.commit(component)
        });
        if result.is_err() {
            self.platform.discard(component);
        }
        Ok(result?)
    }

    /// How much may and must be written. What is known beforehand is refused beforehand.
    fn bounds(&self, index: u32, component: &ComponentId, coming: Option<u64>) -> Result<Bounds, Stop> {
        let room = self.platform.capacity(component);
        let size = self.table.image_size(index);
        if size.is_some_and(|size| size > room) {
            return Err(FailureKind::TooLarge { limit: room }.into());
        }
        // A ciphertext is a little longer than its image, and what it decrypts to is the platform's to count.
        let encrypted = self.table.encryption_info(index).is_some();
        let bounds = match (size, encrypted) {
            (Some(size), false) => Bounds { expected: Some(size), limit: size },
            (Some(size), true) => {
                Bounds { expected: None, limit: size.saturating_add(MAX_CIPHERTEXT_OVERHEAD) }
            }
            (None, false) => Bounds { expected: None, limit: room },
            (None, true) => Bounds { expected: None, limit: room.saturating_add(MAX_CIPHERTEXT_OVERHEAD) },
        };
        match coming {
            Some(coming) if coming > bounds.limit => {
                Err(FailureKind::TooLarge { limit: bounds.limit }.into())
            }
            Some(coming) => bounds.check_end(coming).map(|()| bounds).map_err(Stop::from),
            None => Ok(bounds),
        }
    }

    fn begin(&mut self, index: u32, component: &ComponentId, size: Option<u64>) -> Result<(), PlatformError> {
        self.platform.begin(component, size)?;
        match self.table.encryption_info(index) {
            Some(info) => self.platform.decrypt(component, info),
            None => Ok(()),
        }
    }

    /// Replaces the content of a component by what comes piece by piece. `next` puts the piece at an offset into the
    /// buffer, of no more bytes than there is room for; no byte means the end.
    fn store(
        &mut self,
        index: u32,
        component: &ComponentId,
        bounds: Bounds,
        next: impl FnMut(&mut Self, u64, usize) -> Result<usize, PlatformError>,
    ) -> Result<(), Stop> {
        self.ready_buffer();
        let result = self.transfer(index, component, bounds, next);
        if result.is_err() {
            self.platform.discard(component);
        }
        Ok(result?)
    }

    fn transfer(
        &mut self,
        index: u32,
        component: &ComponentId,
        bounds: Bounds,
        mut next: impl FnMut(&mut Self, u64, usize) -> Result<usize, PlatformError>,
    ) -> Result<(), FailureKind> {
        self.begin(index, component, bounds.expected)?;
        let mut offset = 0;
        loop {
            // One byte more than is allowed shows that there is too much.
            let room = usize::try_from((bounds.limit - offset).saturating_add(1)).unwrap_or(usize::MAX);
            let count = next(self, offset, room)?;
            if count == 0 {
                break;
            }
            let arrived = offset.saturating_add(count as u64);
            if arrived > bounds.limit {
                return Err(FailureKind::TooLarge { limit: bounds.limit });
            }
            let data = self.buffer.get(..count).ok_or(PlatformError::Io)?;
            self.platform.append(component, data)?;
            offset = arrived;
        }
        bounds.check_end(offset)?;
        Ok(self.platform.commit(component)?)
    }
}

/// How much a component may be given.
#[derive(Clone, Copy)]
struct Bounds {
    /// Just this much.
    expected: Option<u64>,
    /// At most this much.
    limit: u64,
}

impl Bounds {
    fn check_end(self, found: u64) -> Result<(), FailureKind> {
        match self.expected {
            Some(expected) if expected != found => Err(FailureKind::WrongSize { expected, found }),
            _ => Ok(()),
        }
    }
}
