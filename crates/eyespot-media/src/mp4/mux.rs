//! An MP4 writer that loses next to nothing: fragments while it writes, a plain file when it is finished.
//!
//! The file starts as `ftyp`, `free`, `moov` and then has a fragment (`moof`, `mdat`) for each second or so, so that
//! everything up to the last whole fragment plays after a crash. Finishing appends a movie box with the complete
//! index and turns the `free` box into the header of one `mdat` box around all that lies before it, with a single
//! write of 16 bytes: from then on it is an ordinary MP4 that every player can seek in.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// A file that can be cut off, so that a failed write leaves nothing half.
pub(crate) trait Storage: Write + Seek {
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

impl Storage for File {
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)?;
        self.seek(SeekFrom::Start(len)).map(|_| ())
    }
}

/// Ticks per second: microseconds, so that timestamps are exact.
const TIMESCALE: u32 = 1_000_000;

/// Where the `free` box lies: behind the 28 bytes of `ftyp`.
const PLACEHOLDER: u64 = 28;

/// What a player must know of the stream.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) width: u16,
    pub(crate) height: u16,
    /// Sequence and picture parameter set, without start codes.
    pub(crate) sps: Vec<u8>,
    pub(crate) pps: Vec<u8>,
}

/// A frame in the index.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// When it is shown, microseconds.
    time: u64,
    size: u32,
    sync: bool,
}

/// Writes an H.264 stream without reordered frames.
#[derive(Debug)]
pub(crate) struct Muxer<W: Storage> {
    file: W,
    stream: Stream,
    position: u64,
    /// Frames of the fragment that is being collected, and their bytes.
    collected: Vec<Entry>,
    bytes: Vec<u8>,
    /// All frames in the file; for each fragment where its bytes start and how many frames it has.
    entries: Vec<Entry>,
    chunks: Vec<(u64, u32)>,
    /// When the last fragment ends, microseconds.
    end: u64,
}

/// How long a frame is shown that the next one follows at `next`.
fn until(time: u64, next: u64) -> u32 {
    u32::try_from(next.saturating_sub(time)).unwrap_or(u32::MAX)
}

/// How long each frame is shown; `end` is when the last one ends.
fn durations(entries: &[Entry], end: u64) -> impl Iterator<Item = u32> {
    let ends = entries.iter().skip(1).map(|entry| entry.time).chain([end]);
    entries.iter().zip(ends).map(|(entry, next)| until(entry.time, next))
}

impl<W: Storage> Muxer<W> {
    /// Starts a file.
    pub(crate) fn new(file: W, stream: Stream) -> io::Result<Self> {
        let mut this = Self {
            file,
            stream,
            position: 0,
            collected: Vec::new(),
            bytes: Vec::new(),
            entries: Vec::new(),
            chunks: Vec::new(),
            end: 0,
        };
        let mut head = Boxes::default();
        head.nest(b"ftyp", |b| b.put(b"isom\0\0\x02\0isomiso6avc1"));
        head.nest(b"free", |b| b.put(&[0; 8]));
        this.movie(&mut head, false);
        this.write(&head.0)?;
        Ok(this)
    }

    /// Adds a frame: its NAL units with lengths of four bytes before them, and when it is shown, in microseconds.
    /// Times rise.
    pub(crate) fn add(&mut self, frame: &[u8], time: u64, sync: bool) {
        self.bytes.extend_from_slice(frame);
        let size = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        self.collected.push(Entry { time, size, sync });
    }

    /// Where it is written.
    #[cfg(test)]
    pub(crate) fn storage(&mut self) -> &mut W {
        &mut self.file
    }

    /// The time of the first frame that a crash would lose now.
    pub(crate) fn collected_since(&self) -> Option<u64> {
        self.collected.first().map(|entry| entry.time)
    }

    /// Writes the collected frames as a fragment that ends at `next`, in microseconds. After an error they are given
    /// up, so that a disk that stays full does not fill the memory too.
    pub(crate) fn end_fragment(&mut self, next: u64) -> io::Result<()> {
        let Some(first) = self.collected_since() else { return Ok(()) };
        let mut moof = Boxes::default();
        let count = self.collected.len() as u32;
        let sequence = self.chunks.len() as u32 + 1;
        moof.nest(b"moof", |b| {
            b.nest(b"mfhd", |b| b.words(&[0, sequence]));
            b.nest(b"traf", |b| {
                // 0x20000: offsets count from the start of this box.
                b.nest(b"tfhd", |b| b.words(&[0x2_0000, 1]));
                b.nest(b"tfdt", |b| {
                    b.words(&[0x0100_0000]);
                    b.put(&first.to_be_bytes());
                });
                // Offset, then duration, size and flags of each sample.
                b.nest(b"trun", |b| {
                    b.words(&[0x701, count, 0]);
                    for (entry, duration) in self.collected.iter().zip(durations(&self.collected, next)) {
                        b.words(&[duration, entry.size, if entry.sync { 0x200_0000 } else { 0x101_0000 }]);
                    }
                });
            });
        });
        // The offset of the bytes is known now: behind this box and the header of the next.
        let offset = moof.0.len() as u32 + 8;
        let place = moof.0.len() - self.collected.len() * 12 - 4;
        moof.0[place..place + 4].copy_from_slice(&offset.to_be_bytes());
        let len = u32::try_from(self.bytes.len() + 8).map_err(|_| io::ErrorKind::InvalidInput)?;
        moof.words(&[len]);
        moof.put(b"mdat");
        let data = self.position + moof.0.len() as u64;
        let written = self.file.write_all(&moof.0).and_then(|()| self.file.write_all(&self.bytes));
        if let Err(error) = written {
            let _ = self.file.truncate(self.position);
            self.collected.clear();
            self.bytes.clear();
            return Err(error);
        }
        self.position = data + self.bytes.len() as u64;
        self.end = next;
        self.chunks.push((data, count));
        self.entries.append(&mut self.collected);
        self.bytes.clear();
        Ok(())
    }

    /// Writes the rest, which ends at `end`, and the complete index.
    pub(crate) fn finish(&mut self, end: u64) -> io::Result<()> {
        self.end_fragment(end)?;
        let mut index = Boxes::default();
        self.movie(&mut index, true);
        if let Err(error) = self.file.write_all(&index.0) {
            // Without the index the fragments still play.
            let _ = self.file.truncate(self.position);
            return Err(error);
        }
        let mut header = Boxes::default();
        header.words(&[1]);
        header.put(b"mdat");
        header.put(&(self.position - PLACEHOLDER).to_be_bytes());
        self.file.seek(SeekFrom::Start(PLACEHOLDER))?;
        self.file.write_all(&header.0)?;
        self.file.seek(SeekFrom::End(0))?;
        self.file.flush()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// The movie box (ISO/IEC 14496-12, 8.2): with the complete index, or ready for fragments.
    fn movie(&self, out: &mut Boxes, complete: bool) {
        let start = self.entries.first().map_or(0, |entry| entry.time);
        let duration = self.end.saturating_sub(start);
        let (width, height) = (u32::from(self.stream.width) << 16, u32::from(self.stream.height) << 16);
        let matrix = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
        out.nest(b"moov", |b| {
            b.nest(b"mvhd", |b| {
                b.version_1_times(&[TIMESCALE], start + duration);
                b.words(&[0x1_0000, 0x0100_0000, 0, 0]);
                b.words(&matrix);
                b.words(&[0, 0, 0, 0, 0, 0, 2]);
            });
            b.nest(b"trak", |b| {
                b.nest(b"tkhd", |b| {
                    b.words(&[0x0100_0003]);
                    b.put(&[0; 16]);
                    b.words(&[1, 0]);
                    b.put(&(start + duration).to_be_bytes());
                    b.words(&[0, 0, 0, 0]);
                    b.words(&matrix);
                    b.words(&[width, height]);
                });
                if complete && start > 0 {
                    // The sample table starts at 0: an empty edit keeps the time of the first frame.
                    b.nest(b"edts", |b| {
                        b.nest(b"elst", |b| {
                            b.words(&[0x0100_0000, 2]);
                            b.put(&start.to_be_bytes());
                            b.put(&(-1_i64).to_be_bytes());
                            b.words(&[0x1_0000]);
                            b.put(&duration.to_be_bytes());
                            b.put(&[0; 8]);
                            b.words(&[0x1_0000]);
                        });
                    });
                }
                b.nest(b"mdia", |b| {
                    b.nest(b"mdhd", |b| {
                        b.version_1_times(&[TIMESCALE], duration);
                        // Language: undetermined.
                        b.words(&[0x55c4_0000]);
                    });
                    b.nest(b"hdlr", |b| {
                        b.words(&[0, 0]);
                        b.put(b"vide\0\0\0\0\0\0\0\0\0\0\0\0video\0");
                    });
                    b.nest(b"minf", |b| {
                        b.nest(b"vmhd", |b| b.words(&[1, 0, 0]));
                        b.nest(b"dinf", |b| {
                            b.nest(b"dref", |b| {
                                b.words(&[0, 1]);
                                b.nest(b"url ", |b| b.words(&[1]));
                            });
                        });
                        b.nest(b"stbl", |b| self.sample_table(b, complete));
                    });
                });
            });
            if !complete {
                b.nest(b"mvex", |b| b.nest(b"trex", |b| b.words(&[0, 1, 1, 0, 0, 0])));
            }
        });
    }

    /// The sample table (8.5 to 8.7), empty for a movie with fragments.
    fn sample_table(&self, b: &mut Boxes, complete: bool) {
        b.nest(b"stsd", |b| {
            b.words(&[0, 1]);
            b.nest(b"avc1", |b| self.sample_entry(b));
        });
        let (entries, chunks) =
            if complete { (&self.entries[..], &self.chunks[..]) } else { (&[][..], &[][..]) };
        b.nest(b"stts", |b| b.runs(durations(entries, self.end)));
        if complete {
            b.nest(b"stss", |b| {
                let numbers: Vec<u32> =
                    (1..).zip(entries).filter(|(_, entry)| entry.sync).map(|(number, _)| number).collect();
                b.words(&[0, numbers.len() as u32]);
                b.words(&numbers);
            });
        }
        b.nest(b"stsc", |b| {
            let mut runs = Vec::new();
            let mut last = 0;
            for (number, &(_, count)) in (1..).zip(chunks) {
                if count != last {
                    runs.extend([number, count, 1]);
                    last = count;
                }
            }
            b.words(&[0, runs.len() as u32 / 3]);
            b.words(&runs);
        });
        b.nest(b"stsz", |b| {
            b.words(&[0, 0, entries.len() as u32]);
            for entry in entries {
                b.words(&[entry.size]);
            }
        });
        b.nest(b"co64", |b| {
            b.words(&[0, chunks.len() as u32]);
            for (offset, _) in chunks {
                b.put(&offset.to_be_bytes());
            }
        });
    }

    /// The `avc1` sample entry (ISO/IEC 14496-15, 5.4.2).
    fn sample_entry(&self, b: &mut Boxes) {
        let Stream { width, height, sps, pps } = &self.stream;
        b.put(&[0, 0, 0, 0, 0, 0, 0, 1]);
        b.put(&[0; 16]);
        b.put(&width.to_be_bytes());
        b.put(&height.to_be_bytes());
        // 72 dots per inch, one frame per sample, a name of 32 bytes, 24 bits of colour.
        b.words(&[0x48_0000, 0x48_0000, 0]);
        b.put(&[0, 1]);
        b.put(&[0; 32]);
        b.put(&[0, 0x18, 0xff, 0xff]);
        b.nest(b"avcC", |b| {
            b.put(&[1]);
            b.put(sps.get(1..4).unwrap_or(&[66, 0, 40]));
            b.put(&[0xff, 0xe1]);
            b.put(&(sps.len() as u16).to_be_bytes());
            b.put(sps);
            b.put(&[1]);
            b.put(&(pps.len() as u16).to_be_bytes());
            b.put(pps);
        });
    }
}

/// Bytes of boxes that are being written.
#[derive(Debug, Default)]
struct Boxes(Vec<u8>);

impl Boxes {
    /// A box around what `content` writes; its size is filled in afterwards.
    fn nest(&mut self, name: &[u8; 4], content: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.words(&[0]);
        self.put(name);
        content(self);
        let size = (self.0.len() - start) as u32;
        self.0[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn words(&mut self, words: &[u32]) {
        for word in words {
            self.put(&word.to_be_bytes());
        }
    }

    /// Version 1, unknown times of creation and change, other fields, a duration of 64 bits.
    fn version_1_times(&mut self, fields: &[u32], duration: u64) {
        self.words(&[0x0100_0000]);
        self.put(&[0; 16]);
        self.words(fields);
        self.put(&duration.to_be_bytes());
    }

    /// A run-length coded table with its header.
    fn runs(&mut self, values: impl Iterator<Item = u32>) {
        let mut runs: Vec<[u32; 2]> = Vec::new();
        for value in values {
            match runs.last_mut() {
                Some([count, last]) if *last == value => *count += 1,
                _ => runs.push([1, value]),
            }
        }
        self.words(&[0, runs.len() as u32]);
        self.words(runs.as_flattened());
    }
}
