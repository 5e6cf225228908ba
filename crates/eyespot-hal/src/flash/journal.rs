//! Erasing a page so that a power cut in the middle of it is noticed and made good.
//!
//! After a cut a page that was being erased holds anything: some bits are ones already. The queue tells pages apart by
//! marks at both of their ends, and takes such a page for a good one now and then. So before a page is erased, its
//! address is written to a journal page, and it is zeroed when the page is erased. What the journal holds at the start
//! is erased again: pages that are erased hold nothing that is needed.

use core::ops::Range;

use embedded_storage::nor_flash::{ErrorType, MultiwriteNorFlash, ReadNorFlash};
use embedded_storage_async::nor_flash as asynchronous;

/// Largest write size of a flash that the queue takes.
const MAX_WORD: usize = 32;
/// Address and its checksum.
const ENTRY: usize = 8;

/// A blocking flash with a journal of erasures, for an asynchronous queue.
pub(super) struct Journaled<F> {
    flash: F,
    journal: u32,
    /// Where the next entry goes, from the start of the journal.
    next: u32,
}

impl<F: MultiwriteNorFlash> Journaled<F> {
    const PAGE: u32 = F::ERASE_SIZE as u32;
    /// Bytes of an entry: whole words for reading and writing.
    const STEP: usize = {
        let word = if F::WRITE_SIZE > F::READ_SIZE { F::WRITE_SIZE } else { F::READ_SIZE };
        ENTRY.next_multiple_of(word)
    };

    /// Finishes an erasure that was cut, and starts with an empty journal in the first page of the range.
    pub(super) fn open(flash: F, range: Range<u32>) -> Result<Self, F::Error> {
        let journal = range.start;
        let mut this = Self { flash, journal, next: 0 };
        let mut clean = true;
        for offset in (0..Self::PAGE).step_by(Self::STEP) {
            let mut bytes = [0; MAX_WORD];
            // Words larger than this are refused before.
            let entry = bytes.get_mut(..Self::STEP).unwrap_or_default();
            this.flash.read(journal + offset, entry)?;
            clean &= entry.iter().all(|&byte| byte == 0xff);
            if let Some(page) = page_of(entry).filter(|page| range.contains(page)) {
                this.flash.erase(page, page + Self::PAGE)?;
            }
        }
        if !clean {
            this.flash.erase(journal, journal + Self::PAGE)?;
        }
        Ok(this)
    }

    pub(super) fn into_flash(self) -> F {
        self.flash
    }

    fn erase_page(&mut self, page: u32) -> Result<(), F::Error> {
        if self.next as usize + Self::STEP > F::ERASE_SIZE {
            // All entries are zeros: what a cut leaves of them has no valid checksum.
            self.flash.erase(self.journal, self.journal + Self::PAGE)?;
            self.next = 0;
        }
        let place = self.journal + self.next;
        let entry = entry_of(page);
        self.flash.write(place, entry.get(..Self::STEP).unwrap_or(&entry))?;
        self.flash.erase(page, page + Self::PAGE)?;
        self.flash.write(place, [0; MAX_WORD].get(..Self::STEP).unwrap_or_default())?;
        self.next += Self::STEP as u32;
        Ok(())
    }
}

fn checksum(page: u32) -> u32 {
    // A product with an odd number and a fold of its halves: every bit of the address changes about half of the result.
    let product = u64::from(page ^ 0x5eed_f1a5).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (product >> 32) as u32 ^ product as u32
}

fn entry_of(page: u32) -> [u8; MAX_WORD] {
    let mut entry = [0; MAX_WORD];
    for (slot, byte) in
        entry.iter_mut().zip(page.to_le_bytes().into_iter().chain(checksum(page).to_le_bytes()))
    {
        *slot = byte;
    }
    entry
}

/// The page of a valid entry.
fn page_of(entry: &[u8]) -> Option<u32> {
    let (page, rest) = entry.split_first_chunk()?;
    let page = u32::from_le_bytes(*page);
    (rest.first_chunk() == Some(&checksum(page).to_le_bytes())).then_some(page)
}

impl<F: ErrorType> ErrorType for Journaled<F> {
    type Error = F::Error;
}

impl<F: ReadNorFlash> asynchronous::ReadNorFlash for Journaled<F> {
    const READ_SIZE: usize = F::READ_SIZE;
    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.flash.read(offset, bytes)
    }
    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<F: MultiwriteNorFlash> asynchronous::NorFlash for Journaled<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;
    async fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        (from..to).step_by(F::ERASE_SIZE).try_for_each(|page| self.erase_page(page))
    }
    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.flash.write(offset, bytes)
    }
}

impl<F: MultiwriteNorFlash> asynchronous::MultiwriteNorFlash for Journaled<F> {}
