//! A local model for when the other side is away.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use eyespot_core::{
    AnyError, BatchOutput, ErrorType, Frame, ModelSpec, Outputs, PredictOptions, PredictionsMut, Predictor,
};

use crate::decode::Names;
use crate::description::Description;
use crate::http::Http;
use crate::remote::{Asker, Described, FRAMES};
use crate::{Endpoint, RemoteError, RemoteOptions};

/// The other side is asked.
const THERE: u8 = 0;
/// It is away, and nobody looks whether it is back.
const AWAY: u8 = 1;
/// It is away, and a thread looks for it.
const LOOKING: u8 = 2;

/// A model elsewhere, and a local one that takes over while the other can't be reached.
///
/// The frame at which the other side is lost is predicted locally, so none is left out; from then on no frame waits for the
/// network, and a thread looks from [time to time](RemoteOptions::probe) whether it is back. Both turns are logged and
/// counted. A wrong token or a setting that the other side refuses is an error, not a reason to turn away.
///
/// Classes are told apart by their names: first those of the local model, then those that only the other one has. Where
/// the other side is away from the start, its own classes can't be known: objects of these are left out and counted.
/// `img_size` is for the other side; the local model keeps its own.
#[derive(Debug)]
pub struct WithFallback<P> {
    asker: Asker,
    local: P,
    both: Described,
    /// How the other side's names are read; `None` before it was asked, and again after it was away.
    names: Option<Names>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: AtomicU8,
    probe: Duration,
    counts: Arc<FallbackCounts>,
}

/// Who did what. It goes on counting while the model works.
#[derive(Debug, Default)]
pub struct FallbackCounts {
    remote: AtomicU64,
    local: AtomicU64,
    lost: AtomicU64,
    unknown: AtomicU64,
}

impl FallbackCounts {
    /// Frames that the other side predicted.
    #[must_use]
    pub fn remote(&self) -> u64 {
        self.remote.load(Ordering::Relaxed)
    }

    /// Frames that the local model predicted.
    #[must_use]
    pub fn local(&self) -> u64 {
        self.local.load(Ordering::Relaxed)
    }

    /// How often the other side was lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Objects that were left out because their class was not known at the start.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }
}

impl<P: Predictor> WithFallback<P> {
    /// A model elsewhere with a local one behind it. It may be away at the start.
    ///
    /// # Errors
    /// [`RemoteError`] where it lets nobody in, is no model, or its address or certificate makes no sense.
    pub fn new(endpoint: &Endpoint, options: &RemoteOptions, local: P) -> Result<Self, RemoteError> {
        let asker = Asker::new(endpoint, options)?;
        let shared = Arc::new(Shared {
            state: AtomicU8::new(THERE),
            probe: options.probe,
            counts: Arc::new(FallbackCounts::default()),
        });
        let remote = match Description::of(&asker.http) {
            Ok(description) => Some(description),
            Err(error) if error.is_away() => {
                shared.lose(&asker.http, &error);
                None
            }
            Err(error) => return Err(error),
        };
        let both = Described::new(union(local.spec(), remote));
        Ok(Self { asker, local, both, names: None, shared })
    }

    /// Who does what, from now on.
    #[must_use]
    pub fn counts(&self) -> Arc<FallbackCounts> {
        Arc::clone(&self.shared.counts)
    }

    /// Asks the other side if it is there; tells whether it did the work.
    fn ask(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        mut out: impl FnMut(usize, &mut dyn FnMut(&mut PredictionsMut<'_>)),
    ) -> Result<bool, RemoteError> {
        self.shared.look_if_nobody_does(&self.asker.http);
        if self.shared.state.load(Ordering::Acquire) != THERE {
            return Ok(false);
        }
        let asked = (|| {
            let names = match self.names.take() {
                Some(names) => names,
                None => {
                    let description = Description::of(&self.asker.http)?;
                    self.warn_of_unknown(&description);
                    Names::new(self.both.labels, &description.keypoints)
                }
            };
            let names = &*self.names.insert(names);
            let counts = &self.shared.counts;
            self.asker.ask(frames, options, self.both.labels, |index, annotation| {
                out(index, &mut |out| {
                    counts.unknown.fetch_add(names.read(annotation, options, out), Ordering::Relaxed);
                });
            })
        })();
        match asked {
            Ok(()) => {
                self.shared.counts.remote.fetch_add(frames.len() as u64, Ordering::Relaxed);
                Ok(true)
            }
            Err(error) if error.is_away() => {
                // When it is back it may be another model.
                self.names = None;
                self.shared.lose(&self.asker.http, &error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn warn_of_unknown(&self, description: &Description) {
        let unknown = description.labels.iter().filter(|label| !self.both.labels.contains(&label.as_str()));
        let unknown: Vec<&str> = unknown.map(String::as_str).collect();
        if !unknown.is_empty() {
            log::warn!(
                "{}: its classes {} were not known at the start and are left out: start again to see them",
                self.asker.http.name(),
                unknown.join(", ")
            );
        }
    }
}

/// What both models together are like.
fn union(local: ModelSpec<'_>, remote: Option<Description>) -> Description {
    let mut labels: Vec<String> = local.labels.iter().map(|label| (*label).to_owned()).collect();
    let Some(remote) = remote else {
        return Description {
            name: local.name.to_owned(),
            labels,
            outputs: local.outputs,
            keypoints: Vec::new(),
            skeleton: local.skeleton.to_vec(),
            input: local.input,
            conf: local.conf,
        };
    };
    for label in remote.labels {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    Description {
        name: format!("{}, else {}", remote.name, local.name),
        labels,
        outputs: Outputs {
            masks: local.outputs.masks || remote.outputs.masks,
            angles: local.outputs.angles || remote.outputs.angles,
            keypoints: local.outputs.keypoints.max(remote.outputs.keypoints),
        },
        skeleton: if remote.skeleton.is_empty() { local.skeleton.to_vec() } else { remote.skeleton },
        keypoints: remote.keypoints,
        input: remote.input,
        conf: remote.conf,
    }
}

impl Shared {
    /// The other side is away: a thread looks for it until it is back, or until nobody needs it any more.
    fn lose(self: &Arc<Self>, http: &Arc<Http>, error: &RemoteError) {
        if self.state.swap(AWAY, Ordering::AcqRel) == THERE {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            log::warn!("{}: away ({error}); the local model takes over", http.name());
        }
        self.look_if_nobody_does(http);
    }

    fn look_if_nobody_does(self: &Arc<Self>, http: &Arc<Http>) {
        if self.state.compare_exchange(AWAY, LOOKING, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        let (shared, looking, probe) = (Arc::downgrade(self), Arc::clone(http), self.probe);
        let thread = std::thread::Builder::new().name("eyespot-probe".to_owned());
        if let Err(error) = thread.spawn(move || look(&shared, &looking, probe)) {
            // The next frame tries again.
            log::warn!("no thread to look for {}: {error}", http.name());
            self.state.store(AWAY, Ordering::Release);
        }
    }
}

/// Looks for the other side until it is back.
fn look(shared: &Weak<Shared>, http: &Http, probe: Duration) {
    loop {
        std::thread::sleep(probe);
        if shared.strong_count() == 0 {
            return;
        }
        let Ok(()) = http.probe() else { continue };
        let Some(shared) = shared.upgrade() else { return };
        log::info!("{}: back", http.name());
        shared.state.store(THERE, Ordering::Release);
        return;
    }
}

impl<P> ErrorType for WithFallback<P> {
    type Error = RemoteError;
}

impl<P: Predictor> Predictor for WithFallback<P>
where
    P::Error: Send + Sync + 'static,
{
    fn spec(&self) -> ModelSpec<'_> {
        self.both.spec()
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), RemoteError> {
        if self.ask(std::slice::from_ref(frame), options, |_, write| write(&mut out))? {
            return Ok(());
        }
        self.local.predict(frame, &without_size(options), out).map_err(AnyError::new)?;
        self.shared.counts.local.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn predict_batch(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), RemoteError> {
        for (number, chunk) in frames.chunks(FRAMES).enumerate() {
            let mut shifted = Shifted { out: &mut *out, by: number * FRAMES };
            if self.ask(chunk, options, |index, write| write(&mut shifted.output(index)))? {
                continue;
            }
            let local = self.local.predict_batch(chunk, &without_size(options), &mut shifted);
            local.map_err(AnyError::new)?;
            self.shared.counts.local.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The options for the local model.
fn without_size<'a>(options: &PredictOptions<'a>) -> PredictOptions<'a> {
    let given = PredictOptions::new().with_classes(options.classes());
    // What lies outside of the range was not given.
    let given = given.with_conf(options.conf_or(-1.0)).unwrap_or(given);
    given.with_iou(options.iou_or(-1.0)).unwrap_or(given)
}

/// The places of a part of a batch.
struct Shifted<'a> {
    out: &'a mut dyn BatchOutput,
    by: usize,
}

impl BatchOutput for Shifted<'_> {
    fn output(&mut self, index: usize) -> PredictionsMut<'_> {
        self.out.output(self.by + index)
    }
}
