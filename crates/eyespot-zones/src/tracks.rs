//! What is remembered about each track.

use eyespot_core::TrackId;

/// State per track, in a fixed number of slots.
#[derive(Debug, Clone)]
pub(crate) struct Tracks<S, const N: usize> {
    slots: [Option<Slot<S>>; N],
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot<S> {
    pub(crate) track: TrackId,
    pub(crate) seen_us: u64,
    pub(crate) state: S,
}

/// What happened to a track that was looked up.
pub(crate) enum Seen<'a, S> {
    /// It was known.
    Known(&'a mut Slot<S>),
    /// It is new, in a free slot or in that of another track.
    New(Option<Slot<S>>),
    /// It is new, and all slots hold tracks of this very moment.
    NoRoom,
}

impl<S: Copy, const N: usize> Tracks<S, N> {
    pub(crate) const fn new() -> Self {
        Self { slots: [None; N] }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot<S>> {
        self.slots.iter().flatten()
    }

    /// Finds the track, or gives it a slot with the first state.
    pub(crate) fn see(&mut self, track: TrackId, now_us: u64, first: S) -> Seen<'_, S> {
        // Its own slot, else a free one, else that of the track that was not seen for longest.
        let slot = self.slots.iter_mut().min_by_key(|slot| match slot {
            Some(slot) if slot.track == track => (0, 0),
            None => (1, 0),
            Some(slot) => (2, slot.seen_us),
        });
        let Some(slot) = slot else { return Seen::NoRoom };
        match *slot {
            Some(known) if known.track == track => {
                Seen::Known(slot.insert(Slot { seen_us: now_us, ..known }))
            }
            Some(other) if other.seen_us >= now_us => Seen::NoRoom,
            before => {
                *slot = Some(Slot { track, seen_us: now_us, state: first });
                Seen::New(before)
            }
        }
    }

    /// Drops the tracks that were not seen for longer than `patience_us`.
    pub(crate) fn expire(&mut self, now_us: u64, patience_us: u64, mut gone: impl FnMut(Slot<S>)) {
        for slot in &mut self.slots {
            if let Some(old) = slot.take_if(|slot| now_us.saturating_sub(slot.seen_us) > patience_us) {
                gone(old);
            }
        }
    }
}
