//! An object where it should not be switches a pin.

use embedded_hal::digital::OutputPin;
use eyespot_core::{ClassId, Detection, Error, ErrorKind, ErrorType, Record, Sink};
use eyespot_zones::{Anchor, Polygon, Presence, PresenceConfig};

/// What raises an alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmConfig<const CORNERS: usize> {
    /// Where, in pixels of the frame.
    pub zone: Polygon<CORNERS>,
    /// For how long, and how long the alarm holds.
    pub presence: PresenceConfig,
    /// What; `None` for any class.
    pub class: Option<ClassId>,
    /// Which point of the box must be in the zone.
    pub anchor: Anchor,
    /// Scores from here on count.
    pub conf: f32,
}

impl<const CORNERS: usize> AlarmConfig<CORNERS> {
    /// Any class with any score, by the lower edge of its box.
    #[must_use]
    pub const fn new(zone: Polygon<CORNERS>, presence: PresenceConfig) -> Self {
        Self { zone, presence, class: None, anchor: Anchor::Bottom, conf: 0.0 }
    }

    fn matches(&self, detection: &Detection) -> bool {
        detection.score >= self.conf
            && self.class.is_none_or(|class| class == detection.class)
            && self.zone.contains(self.anchor.of(&detection.bbox))
    }
}

/// The pin of an alarm could not be set. The next frame tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlarmError<E>(pub E);

impl<E: embedded_hal::digital::Error> core::fmt::Display for AlarmError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the alarm pin could not be set: {}", self.0.kind())
    }
}

impl<E: embedded_hal::digital::Error> core::error::Error for AlarmError<E> {}

impl<E: embedded_hal::digital::Error> Error for AlarmError<E> {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Device
    }
}

/// Sets a pin high while an object of a class is in a zone for longer than a time, and low otherwise.
///
/// It needs no tracker, so that an object whose track is lost for a moment does not start anew. Times are those of the
/// frames. The pin is touched only when it changes; the first frame sets it.
#[derive(Debug, Clone)]
pub struct Alarm<P, const CORNERS: usize> {
    pin: P,
    config: AlarmConfig<CORNERS>,
    presence: Presence,
    /// What the pin was set to.
    state: Option<bool>,
}

impl<P: OutputPin, const CORNERS: usize> Alarm<P, CORNERS> {
    /// An alarm on a pin.
    pub const fn new(pin: P, config: AlarmConfig<CORNERS>) -> Self {
        let presence = Presence::new(config.presence);
        Self { pin, config, presence, state: None }
    }

    /// Is the alarm on?
    pub const fn is_on(&self) -> bool {
        self.presence.is_active()
    }

    /// Lets an alarm end when no frames come any more: the time of frames now, microseconds.
    ///
    /// # Errors
    /// [`AlarmError`] where the pin can't be set.
    pub fn tick(&mut self, time_us: u64) -> Result<(), AlarmError<P::Error>> {
        self.update(time_us, false)
    }

    fn update(&mut self, time_us: u64, present: bool) -> Result<(), AlarmError<P::Error>> {
        let on = self.presence.update(time_us, present);
        if self.state != Some(on) {
            self.state = None;
            self.pin.set_state(on.into()).map_err(AlarmError)?;
            self.state = Some(on);
        }
        Ok(())
    }
}

impl<P: OutputPin, const CORNERS: usize> ErrorType for Alarm<P, CORNERS> {
    type Error = AlarmError<P::Error>;
}

impl<P: OutputPin, const CORNERS: usize> Sink for Alarm<P, CORNERS> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Self::Error> {
        let present = record.predictions.detections().iter().any(|detection| self.config.matches(detection));
        self.update(record.info.timestamp_us, present)
    }
}
