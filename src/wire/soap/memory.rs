//! Memory for envelopes, of all messages together. One message's own bound (`max_envelope_bytes`) says nothing of how many
//! such messages there are at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::SoapError;
use crate::limits::{self, Limits};

/// Unit in which memory is counted.
const UNIT_BYTES: usize = 64 * 1024;

/// What envelopes may take, all together. Clones share it.
#[derive(Debug, Clone)]
pub struct EnvelopeMemory(Arc<Semaphore>);

/// What one envelope takes of it, until it is dropped. Without a budget, it takes what it wants.
#[derive(Debug, Default)]
pub struct EnvelopeShare {
    budget: Option<EnvelopeMemory>,
    held: Option<OwnedSemaphorePermit>,
}

impl EnvelopeMemory {
    /// As much as the limits say, and enough for one envelope.
    pub fn new(limits: &Limits) -> Self {
        let bytes = limits.max_envelope_memory_bytes.max(limits.max_envelope_bytes);
        Self(Arc::new(Semaphore::new((bytes / UNIT_BYTES + 1).min(Semaphore::MAX_PERMITS))))
    }

    /// For one envelope: nothing yet.
    pub(super) fn share(&self) -> EnvelopeShare {
        EnvelopeShare { budget: Some(self.clone()), held: None }
    }
}

impl EnvelopeShare {
    /// Makes sure that the share covers an envelope of so many bytes. Nobody waits for memory while holding some: that could
    /// last for ever.
    pub(super) fn cover(&mut self, bytes: usize) -> Result<(), SoapError> {
        let Some(EnvelopeMemory(budget)) = &self.budget else { return Ok(()) };
        if bytes <= limits::SMALL_ENVELOPE_BYTES {
            return Ok(());
        }
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = u32::try_from(bytes.div_ceil(UNIT_BYTES).saturating_sub(held)).unwrap_or(u32::MAX);
        if missing == 0 {
            return Ok(());
        }
        let more = Arc::clone(budget).try_acquire_many_owned(missing).map_err(|_| SoapError::Crowded)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_envelopes_together_have_their_bound_and_give_back_what_they_took() {
        let limits =
            Limits { max_envelope_memory_bytes: 10 << 20, max_envelope_bytes: 6 << 20, ..Limits::default() };
        let memory = EnvelopeMemory::new(&limits);
        let (mut one, mut another) = (memory.share(), memory.share());
        for megabytes in 1..=6 {
            one.cover(megabytes << 20).unwrap();
        }
        another.cover(4 << 20).unwrap();
        assert!(matches!(another.cover(6 << 20), Err(SoapError::Crowded)));
        assert!(memory.share().cover(limits::SMALL_ENVELOPE_BYTES).is_ok(), "small ones are not counted");
        drop(one);
        another.cover(6 << 20).unwrap();
        assert!(EnvelopeShare::default().cover(usize::MAX).is_ok());
    }
}
